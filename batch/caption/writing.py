"""The writer under the engine: out of memory halves the batch, a fault costs the clip it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vidprompter.engines.protocol import PromptWriter
from vidprompter.errors import GenerationError, ModelError, OutOfMemory, RunError, VidPrompterError
from vidprompter.tasks import Prompt, Request

Result = Prompt | VidPrompterError
# As many faults with no prompt before them are no fault of the clips.
_HOPELESS = 16


class Writing:
    """Writes batches of any size, in parts that fit into the memory."""

    def __init__(self, writer: PromptWriter, say: Callable[[str], None]) -> None:
        self.writer = writer
        self._say = say
        self._limit: int | None = None  # requests at once, once memory was short
        self._written = 0
        self._faults = 0

    def write(self, requests: Sequence[Request]) -> list[Result]:
        """One result per request, in order.

        Raises:
            ModelError, RunError: the model cannot be used at all.
        """
        results: list[Result] = []
        while rest := requests[len(results) :]:
            results += self._part(rest if self._limit is None else rest[: self._limit])
        return results

    def _part(self, requests: Sequence[Request]) -> list[Result]:
        try:
            found = list(self.writer.generate_batch(requests))
        except OutOfMemory as error:
            if len(requests) == 1:
                return [error]
            self._limit = len(requests) // 2
            self._say(f"out of memory with {len(requests)} clips at once; going on with {self._limit}")
            return []
        except (ModelError, RunError):
            raise
        except Exception as error:  # the boundary to models of others: which clip it was is found out below
            return self._fault(requests, error)
        if len(found) != len(requests):
            raise GenerationError(
                f"{self.writer.model} gave {len(found)} results for {len(requests)} requests"
            )
        self._written += sum(isinstance(one, Prompt) for one in found)
        return found

    def _fault(self, requests: Sequence[Request], error: Exception) -> list[Result]:
        """Each request by itself, so that one bad clip does not cost its neighbours."""
        if len(requests) > 1:
            return [result for request in requests for result in self._alone(request)]
        typed = error if isinstance(error, VidPrompterError) else _typed(error)
        self._faults += 1
        if self._faults >= _HOPELESS and not self._written:
            raise ModelError(f"{self.writer.model} failed on the first {self._faults} clips alike: {typed}")
        return [typed]

    def _alone(self, request: Request) -> list[Result]:
        return self._part([request])


def _typed(error: Exception) -> GenerationError:
    text = " ".join(str(error).split()) or "no message"
    return GenerationError(f"the model broke off with {type(error).__name__}: {text}")
