"""Whether a judge judges: its marks for texts whose marks are agreed on, of our own (`calibration.jsonl`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from math import sqrt
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol, runtime_checkable

from scoring.judge.agreement import Agreement
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.scores import Evaluator
from vidprompter.tasks import Request, Task


@dataclass(frozen=True)
class Item:
    """A text with the band that its mark should lie in. fault: what is wrong with it, by factor. why: of the band."""

    text: str
    low: float
    high: float
    fault: str
    why: str

    @property
    def middle(self) -> float:
        """Of the band."""
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Marked:
    """An item with the mark it got; None with the reason, where it got none."""

    item: Item
    value: float | None
    reason: str = ""

    @property
    def inside(self) -> bool:
        """Whether the mark lies in the band, its ends counted."""
        return self.value is not None and self.item.low <= self.value <= self.item.high

    @property
    def off(self) -> float:
        """How far it lies outside of the band, with its sign; 0 inside and where there is none."""
        if self.value is None or self.inside:
            return 0.0
        return self.value - (self.item.low if self.value < self.item.low else self.item.high)


@dataclass(frozen=True)
class Calibration:
    """What came of it. None where nothing can be said.

    parsed: share of texts that got a mark. inside: share of all texts whose mark lies in its band. correlation: Spearman's,
    of marks with the middles of the bands. bias: mean of mark minus middle. agreement: of repeated answers.
    """

    evaluator: str
    model: str
    marked: tuple[Marked, ...]
    parsed: float
    inside: float
    correlation: float | None
    bias: float | None
    agreement: Agreement | None = None

    def to_json(self) -> dict[str, Any]:
        """Its fields as `--json` shows them."""
        return {
            "evaluator": self.evaluator,
            "model": self.model,
            "texts": len(self.marked),
            "parsed": round(self.parsed, 4),
            "inside_band": round(self.inside, 4),
            "spearman": None if self.correlation is None else round(self.correlation, 4),
            "bias": None if self.bias is None else round(self.bias, 4),
            "agreement": None if self.agreement is None else self.agreement.to_json(),
            "marks": [
                asdict(one.item) | {"value": one.value, "inside": one.inside, "reason": one.reason}
                for one in self.marked
            ],
        }


@runtime_checkable
class Agrees(Protocol):
    """An evaluator that can say how well its repeated answers agree."""

    @property
    def agreement(self) -> Agreement:
        """Over all texts so far."""
        ...


def calibration_items(path: Path | None = None) -> list[Item]:
    """Our own items, or those of a JSONL file: {text, low, high, fault, why} in each line.

    Raises:
        InputError: the file cannot be read, or a line is not of that form.
    """
    try:
        text = (
            files("scoring.judge").joinpath("calibration.jsonl").read_text(encoding="utf-8")
            if path is None
            else path.read_text(encoding="utf-8")
        )
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"calibration file {path} cannot be read: {error}; give a UTF-8 text file"
        ) from error
    items = [_item(line, number, path) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not items:
        raise InputError(f"calibration file {path} holds no item; give lines of {{text, low, high}}")
    return items


def calibrate(evaluator: Evaluator, items: Sequence[Item] | None = None) -> Calibration:
    """How the marks of an evaluator compare with the agreed ones; the rubric can be tried as well as a judge.

    Raises:
        InputError: it needs a clip, gives several numbers, or does not mark from 0 to 10.
        VidPrompterError: it could not be asked at all.
    """
    identity = evaluator.identities[0]
    if len(evaluator.identities) != 1 or identity.needs_video or (identity.low, identity.high) != (0.0, 10.0):
        raise InputError(
            f"{identity.name!r} cannot be calibrated here: it must mark texts alone, from 0 to 10; take 'judge' or 'rubric'"
        )
    items = calibration_items() if items is None else list(items)
    # Each a request of its own, so that one that fails costs no other.
    requests = [Request(Task.SHORT_TO_PROMPT, short="calibration") for _ in items]
    outcomes = evaluator.score(requests, [[item.text] for item in items])
    marked = []
    for item, outcome in zip(items, outcomes, strict=True):
        if isinstance(outcome, VidPrompterError):
            marked.append(Marked(item, None, str(outcome)))
            continue
        score = outcome[0].of(identity.name)
        marked.append(Marked(item, score.value, "" if score.value is not None else _reason(score)))
    errors = [one for one in outcomes if isinstance(one, VidPrompterError)]
    if errors and len(errors) == len(outcomes):
        raise errors[0]
    return _calibration(identity.name, identity.model, marked, evaluator)


def _calibration(name: str, model: str, marked: Sequence[Marked], evaluator: Evaluator) -> Calibration:
    pairs = [(one.value, one.item.middle) for one in marked if one.value is not None]
    return Calibration(
        name,
        model,
        tuple(marked),
        parsed=len(pairs) / len(marked),
        inside=fmean(one.inside for one in marked),
        correlation=spearman([value for value, _ in pairs], [middle for _, middle in pairs]),
        bias=fmean(value - middle for value, middle in pairs) if pairs else None,
        agreement=evaluator.agreement if isinstance(evaluator, Agrees) else None,
    )


def spearman(one: Sequence[float], two: Sequence[float]) -> float | None:
    """Spearman's rank correlation, equal values at their mean rank; None of fewer than two, or of equal ones alone."""
    first, second = _ranks(one), _ranks(two)
    if len(first) < 2:
        return None
    mean = (len(first) + 1) / 2
    products = sum((a - mean) * (b - mean) for a, b in zip(first, second, strict=True))
    spread = sqrt(sum((a - mean) ** 2 for a in first) * sum((b - mean) ** 2 for b in second))
    return products / spread if spread else None


def _ranks(values: Sequence[float]) -> list[float]:
    """1 for the smallest."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]


def _reason(score: Any) -> str:
    return str(score.details.get("reason") or ", ".join(score.flags))


def _item(line: str, number: int, path: Path | None) -> Item:
    where = f"line {number} of calibration file {path}"
    try:
        row = json.loads(line)
        item = Item(
            str(row["text"]),
            float(row["low"]),
            float(row["high"]),
            str(row.get("fault", "")),
            str(row.get("why", "")),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where} is not of the form {{text, low, high, fault, why}}: {error!r}") from error
    if not 0 <= item.low <= item.high <= 10:
        raise InputError(f"{where} has the band {item.low:g} to {item.high:g}; it must lie in 0 to 10")
    return item
