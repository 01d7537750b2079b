"""Several evaluators as one, with the mean of their scores (VidPrompter paper, section 3.5)."""

from __future__ import annotations

from collections.abc import Sequence

from vidprompter.engines.protocol import Reports
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.scores import Evaluator, EvaluatorIdentity, Outcome, Score, Scored
from vidprompter.tasks import Request


class Ensemble:
    """Asks every evaluator; each score is kept, and their mean stands beside them.

    The mean is taken where all have the same range: a cosine and a mark from 0 to 10 have no mean.
    """

    def __init__(self, members: Sequence[Evaluator]) -> None:
        if not members:
            raise InputError("no evaluator was named; name at least one, such as 'builtin'")
        self._members = tuple(members)
        names = [identity.name for identity in self.identities]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"the evaluator {twice[0]!r} was named twice; name it once")

    @property
    def identities(self) -> tuple[EvaluatorIdentity, ...]:
        """Those of all members, in their order."""
        return tuple(identity for member in self._members for identity in member.identities)

    @property
    def has_mean(self) -> bool:
        """Whether the scores are of one range."""
        return len({(identity.low, identity.high) for identity in self.identities}) == 1

    def score(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
        """See `vidprompter.scores.Evaluator`; the error of one member is the request's."""
        check_lengths(requests, candidates)
        outcomes: list[list[Scored] | VidPrompterError] = [
            [Scored(text, ()) for text in texts] for texts in candidates
        ]
        for member in self._members:
            # What has failed already is not looked at again.
            alive = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, VidPrompterError)]
            answers = member.score([requests[n] for n in alive], [candidates[n] for n in alive])
            for n, answer in zip(alive, answers, strict=True):
                outcomes[n] = _joined(outcomes[n], answer)
        return [self._with_means(outcome) for outcome in outcomes]

    def summary(self) -> str:
        """What members say when the work is over, such as how well a judge agrees with itself; "" for nothing."""
        told = (member.summary() for member in self._members if isinstance(member, Reports))
        return "; ".join(line for line in told if line)

    def close(self) -> None:
        """See `vidprompter.scores.Evaluator`."""
        for member in self._members:
            member.close()

    def _with_means(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, VidPrompterError):
            return outcome
        return [
            Scored(one.text, one.scores, mean_of(one.scores) if self.has_mean else None) for one in outcome
        ]


def mean_of(scores: Sequence[Score]) -> float | None:
    """The arithmetic mean; None where one of them is missing, since the rest would be another mean."""
    values = [score.value for score in scores if score.value is not None]
    return sum(values) / len(values) if values and len(values) == len(scores) else None


def check_lengths(requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> None:
    """Nothing.

    Raises:
        InputError: there are not as many lists of texts as requests.
    """
    if len(requests) != len(candidates):
        raise InputError(
            f"{len(requests)} requests, but candidates for {len(candidates)}; give one list of texts for each request"
        )


def _joined(before: Outcome, answer: Outcome) -> Outcome:
    if isinstance(before, VidPrompterError) or isinstance(answer, VidPrompterError):
        return answer if isinstance(answer, VidPrompterError) else before
    return [Scored(one.text, one.scores + two.scores) for one, two in zip(before, answer, strict=True)]
