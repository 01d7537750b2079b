"""The evaluator under the loop: out of memory halves the batch, a fault costs the clip that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vidprompter.errors import (
    GenerationError,
    InputError,
    ModelError,
    OutOfMemory,
    RunError,
    VidPrompterError,
)
from vidprompter.scores import Evaluator, Outcome
from vidprompter.tasks import Request

# As many faults with no score before them are no fault of the clips.
_HOPELESS = 16


class Asking:
    """Scores batches of any size, in parts that fit into the memory."""

    def __init__(self, evaluator: Evaluator, say: Callable[[str], None]) -> None:
        self._evaluator = evaluator
        self._say = say
        self._limit: int | None = None  # requests at once, once memory was short
        self._scored = 0
        self._faults = 0

    def score(self, requests: Sequence[Request], texts: Sequence[Sequence[str]]) -> list[Outcome]:
        """One outcome per request, in order.

        Raises:
            ModelError, InputError, RunError: the evaluator cannot be used at all.
        """
        outcomes: list[Outcome] = []
        while (begun := len(outcomes)) < len(requests):
            end = len(requests) if self._limit is None else begun + self._limit
            outcomes += self._part(requests[begun:end], texts[begun:end])
        return outcomes

    def _part(self, requests: Sequence[Request], texts: Sequence[Sequence[str]]) -> list[Outcome]:
        try:
            found = self._evaluator.score(requests, texts)
        except OutOfMemory as error:
            if len(requests) == 1:
                return [error]
            self._limit = len(requests) // 2
            self._say(f"out of memory with {len(requests)} clips at once; going on with {self._limit}")
            return []
        except (ModelError, InputError, RunError):
            raise
        except Exception as error:  # the boundary to models of others: which clip it was is found out below
            return self._fault(requests, texts, error)
        if len(found) != len(requests):
            raise GenerationError(f"an evaluator gave {len(found)} results for {len(requests)} requests")
        for outcome, its in zip(found, texts, strict=True):
            if not isinstance(outcome, VidPrompterError) and len(outcome) != len(its):
                raise GenerationError(f"an evaluator gave {len(outcome)} scores for {len(its)} texts")
        self._scored += sum(not isinstance(one, VidPrompterError) for one in found)
        return found

    def _fault(
        self, requests: Sequence[Request], texts: Sequence[Sequence[str]], error: Exception
    ) -> list[Outcome]:
        """Each request by itself, so that one bad clip does not cost its neighbours."""
        if len(requests) > 1:
            return [
                outcome
                for request, its in zip(requests, texts, strict=True)
                for outcome in self._part([request], [its])
            ]
        typed = error if isinstance(error, VidPrompterError) else _typed(error)
        self._faults += 1
        if self._faults >= _HOPELESS and not self._scored:
            raise ModelError(f"the evaluator failed on the first {self._faults} clips alike: {typed}")
        return [typed]


def _typed(error: Exception) -> GenerationError:
    text = " ".join(str(error).split()) or "no message"
    return GenerationError(f"the evaluator broke off with {type(error).__name__}: {text}")
