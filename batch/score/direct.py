"""`score` and `rank` of one clip with captions that were typed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from batch.cli import EXIT_FAILED
from batch.score.asked import Asked, check_videos, request_for
from batch.score.fields import (
    RankAnswer,
    ScoreAnswer,
    details_of,
    flags_of,
    identities_json,
    plain,
    score_fields,
)
from scoring.ranking import Place, ranking_key
from vidprompter.engines.protocol import Reports
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.scores import Evaluator, EvaluatorIdentity, Scored

Answer = Callable[[str], None]


def score_asked(asked: Asked, evaluator: Evaluator, say: Callable[[str], None]) -> list[Scored]:
    """One for each caption, in the order given. say: is told what evaluators report, such as a judge's agreement.

    Raises:
        VidPrompterError: the clip cannot be read, or an evaluator cannot be used.
    """
    check_videos(evaluator.identities, asked.clip)
    clip = None if asked.clip is None else Path(asked.clip)
    (outcome,) = evaluator.score([request_for(clip, asked.start, asked.end)], [list(asked.captions)])
    if isinstance(outcome, VidPrompterError):
        raise outcome
    if isinstance(evaluator, Reports) and (told := evaluator.summary()):
        say(told)
    return outcome


def show_scores(
    scored: Sequence[Scored], identities: Sequence[EvaluatorIdentity], *, explain: bool, say: Answer
) -> None:
    """Prints the table, and under it why the numbers are what they are, where that was asked.

    say: is told whose numbers have no reasons.
    """
    from batch.score.show import console, explanations, score_table

    screen = console()
    screen.print(score_table(scored, identities, screen.width))
    if not explain:
        return
    silent = [one.name for one in identities if not any(each.of(one.name).details for each in scored)]
    if silent:
        say(f"{', '.join(silent)}: a number, and no reasons to tell")
    for number, one in enumerate(scored, 1):
        parts = explanations(one)
        if parts and len(scored) > 1:
            screen.print(f"\ncaption {number}", markup=False, highlight=False)
        for part in parts:
            screen.print()
            screen.print(part)


def show_ranks(places: Sequence[Place], identities: Sequence[EvaluatorIdentity]) -> None:
    """Prints the table, the best first."""
    from batch.score.show import console, rank_table

    screen = console()
    screen.print(rank_table(places, identities, screen.width))


def answers_json(asked: Asked, scored: Sequence[Scored], identities: Sequence[EvaluatorIdentity]) -> str:
    """The list of `score --json`."""
    return _json([answer_of(asked, one, identities) for one in scored])


def ranks_json(asked: Asked, places: Sequence[Place], identities: Sequence[EvaluatorIdentity]) -> str:
    """The list of `rank --json`, the best first."""
    answers: list[RankAnswer] = [
        {
            "rank": place.rank,
            "index": place.index,
            "value": plain(place.value),
            "margin": plain(place.margin),
            **answer_of(asked, place.scored, identities),
        }
        for place in places
    ]
    return _json(answers)


def answer_of(asked: Asked, scored: Scored, identities: Sequence[EvaluatorIdentity]) -> ScoreAnswer:
    """One caption as `--json` shows it."""
    return {
        "caption": scored.text,
        **score_fields(scored),
        "flags": flags_of(scored),
        "details": details_of(scored),
        "clip": asked.clip,
        "start": asked.start,
        "end": asked.end,
        "evaluators": identities_json(identities),
    }


def key_of(identities: Sequence[EvaluatorIdentity], by: str | None) -> str:
    """What captions are ranked by; see `scoring.ranking.ranking_key`.

    Raises:
        InputError: there is no mean, or `by` was not asked; the message names the option.
    """
    try:
        return ranking_key(identities, by)
    except InputError as error:
        raise InputError(f"{error} (--by NAME)") from None


def exit_code(scored: Sequence[Scored]) -> int:
    """0, or 1 where a text has no score."""
    missing = any(score.value is None for one in scored for score in one.scores)
    return EXIT_FAILED if missing else 0


def _json(answers: Sequence[ScoreAnswer]) -> str:
    return json.dumps(answers, ensure_ascii=False, indent=1, allow_nan=False)
