"""What came out of a run over rows: for each evaluator mean, spread, how many were cut, flagged or without a number."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batch.score.jobs import ScoreSettings
from batch.score.show import digits_of
from vidprompter.runs.output import Rows
from vidprompter.scores import EvaluatorIdentity

if TYPE_CHECKING:
    from rich.table import Table


@dataclass
class Figures:
    """Of one evaluator, or of the mean. scored: texts with a number; rows: all."""

    rows: int = 0
    scored: int = 0
    truncated: int = 0
    flagged: int = 0
    _mean: float = 0.0
    _squares: float = 0.0

    def add(self, value: float | None, *, truncated: bool, flagged: bool) -> None:
        """One text more. Welford's way: exact enough for any number of rows, and nothing is kept."""
        self.rows += 1
        self.truncated += truncated
        self.flagged += flagged
        if value is None:
            return
        self.scored += 1
        step = value - self._mean
        self._mean += step / self.scored
        self._squares += step * (value - self._mean)

    @property
    def mean(self) -> float | None:
        """Of the numbers."""
        return self._mean if self.scored else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the numbers (n - 1), None for fewer than two."""
        return math.sqrt(self._squares / (self.scored - 1)) if self.scored > 1 else None

    def to_json(self) -> dict[str, Any]:
        """With their documented names."""
        return {
            "scored": self.scored,
            "without_score": self.rows - self.scored,
            "mean": self.mean,
            "standard_deviation": self.deviation,
            "truncated": self.truncated,
            "flagged": self.flagged,
        }


@dataclass
class Report:
    """Figures by evaluator, and of "mean" where it has a meaning. others: rows of other evaluators beside them."""

    identities: Sequence[EvaluatorIdentity]
    figures: dict[str, Figures] = field(default_factory=dict)
    others: int = 0

    def add(self, row: dict[str, Any]) -> None:
        """A row with its scores."""
        flags = [flag.partition(":")[0] for flag in row["score_flags"]]
        for one in self.identities:
            name = one.name
            self.figures.setdefault(name, Figures()).add(
                row["scores"].get(name),
                truncated=bool(row["truncated"].get(name)),
                flagged=name in flags or row["score_error"] is not None,
            )
        if len(self.identities) > 1 and len({(one.low, one.high) for one in self.identities}) == 1:
            self.figures.setdefault("mean", Figures()).add(
                row["mean"], truncated=bool(row["truncated"]), flagged=bool(row["score_flags"])
            )

    def to_json(self) -> dict[str, Any]:
        """By evaluator."""
        return {name: one.to_json() for name, one in self.figures.items()}


def report_of(rows: Rows, settings: ScoreSettings) -> Report:
    """The figures of all rows in a ledger that the evaluators of these settings scored, also earlier."""
    report = Report(settings.identities)
    for row in rows.after(0):
        told = json.loads(row.text)
        if told["evaluators"] == settings.told:
            report.add(told)
        else:
            report.others += 1
    return report


def report_table(report: Report) -> Table:
    """One line for each evaluator."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("evaluator")
    for name in ("scored", "mean", "std. dev.", "cut short", "flagged", "no score"):
        table.add_column(name, justify="right")
    digits = {one.name: digits_of(one) for one in report.identities}
    for name, one in report.figures.items():
        places = digits.get(name, max(digits.values())) + 1
        table.add_row(
            name,
            str(one.scored),
            "-" if one.mean is None else f"{one.mean:.{places}f}",
            "-" if one.deviation is None else f"{one.deviation:.{places}f}",
            str(one.truncated),
            str(one.flagged),
            str(one.rows - one.scored),
        )
    return table
