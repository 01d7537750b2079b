"""Several models compared on the same clips: Table 1 of the paper, with intervals and what is no difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

from batch.score.bootstrap import LEVEL, interval, resampled_means
from vidprompter.scores import EvaluatorIdentity
from vidprompter.tasks import Task

TASKS = {Task.VIDEO_TO_PROMPT: 1, Task.VIDEO_AND_SHORT_TO_PROMPT: 2, Task.SHORT_TO_PROMPT: 3}
FEW_CLIPS = 20


class Column(NamedTuple):
    """One column of the table. task: 1 to 3."""

    task: int
    evaluator: str

    def __str__(self) -> str:
        return f"task {self.task}, {self.evaluator}"


class EvalCell(TypedDict):
    """One model in one column; see docs/output_fields.md."""

    mean: float
    low: float | None
    high: float | None
    clips: int
    captions: int
    truncated_share: float
    behind_best: float | None
    behind_best_low: float | None
    behind_best_high: float | None
    is_best: bool
    is_worse_than_best: bool | None


@dataclass
class Values:
    """Of one model in one column. by_clip: clip -> (sum, number) of its captions' scores."""

    by_clip: dict[str, tuple[float, int]] = field(default_factory=dict)
    captions: int = 0
    truncated: int = 0
    missing: int = 0

    def add(self, clip: str, value: float | None, truncated: bool) -> None:
        """One caption; None: it has no score."""
        self.captions += 1
        self.truncated += truncated
        if value is None:
            self.missing += 1
            return
        total, number = self.by_clip.get(clip, (0.0, 0))
        self.by_clip[clip] = total + value, number + 1

    def mean_of(self, clip: str) -> float:
        """Of its captions."""
        total, number = self.by_clip[clip]
        return total / number


@dataclass
class Model:
    """One model's captions. failures: rows without any score, by reason."""

    name: str
    captions: int = 0
    columns: dict[Column, Values] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, row: Mapping[str, Any], clip: str, task: int, names: Iterable[str]) -> None:
        """A scored row."""
        self.captions += 1
        for name in names:
            column = self.columns.setdefault(Column(task, name), Values())
            column.add(clip, row["scores"].get(name), bool(row["truncated"].get(name)))
        if row["score_error"] is not None:
            self.failures[row["score_error"]["type"]] += 1
        elif any(value is None for value in row["scores"].values()):
            told = [flag.partition(":")[2] or flag for flag in row["score_flags"]]
            self.failures[told[0] if told else "no score"] += 1


@dataclass(frozen=True)
class Comparison:
    """models, columns: in their order. cells: what stands where; a pair that is not in it is missing. notes: to be said."""

    models: tuple[Model, ...]
    columns: tuple[Column, ...]
    cells: Mapping[tuple[str, Column], EvalCell]
    notes: tuple[str, ...]
    identities: Mapping[str, EvaluatorIdentity]
    resamples: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """With its documented names."""
        from batch.score.fields import identities_json

        return {
            "models": [
                {
                    "model": model.name,
                    "captions": model.captions,
                    "failures": dict(model.failures.most_common()),
                    "cells": [
                        {"task": column.task, "evaluator": column.evaluator, **cell}
                        for column in self.columns
                        if (cell := self.cells.get((model.name, column))) is not None
                    ],
                }
                for model in self.models
            ],
            "evaluators": identities_json(list(self.identities.values())),
            "level": LEVEL,
            "resamples": self.resamples,
            "seed": self.seed,
            "notes": list(self.notes),
        }


def compare(
    models: Sequence[Model], identities: Sequence[EvaluatorIdentity], *, resamples: int, seed: int
) -> Comparison:
    """The table of these models. In each column they are compared on the clips that all of them have there."""
    order = [one.name for one in identities]
    there = {column for model in models for column, values in model.columns.items() if values.by_clip}
    columns = sorted(there, key=lambda column: (column.task, order.index(column.evaluator)))
    cells: dict[tuple[str, Column], EvalCell] = {}
    notes: list[str] = []
    for column in columns:
        found, told = _column(models, column, resamples, seed)
        cells |= {(name, column): cell for name, cell in found.items()}
        notes += [note for note in told if note not in notes]
    notes += [
        f"{model.name}: {sum(model.failures.values())} of {model.captions} captions lack a score ("
        + ", ".join(f"{number} {why}" for why, number in model.failures.most_common())
        + ")"
        for model in models
        if model.failures
    ]
    known = {one.name: one for one in identities}
    return Comparison(tuple(models), tuple(columns), cells, tuple(notes), known, resamples, seed)


def _column(
    models: Sequence[Model], column: Column, resamples: int, seed: int
) -> tuple[dict[str, EvalCell], list[str]]:
    """The cells of one column by model, and what must be said of it."""
    import numpy as np

    has = {model.name: v for model in models if (v := model.columns.get(column)) is not None and v.by_clip}
    common = set.intersection(*(set(values.by_clip) for values in has.values()))
    counts = ", ".join(f"{name} {len(values.by_clip)}" for name, values in has.items())
    unit = "short prompts" if column.task == 3 else "clips"
    if not common:
        note = f"task {column.task}: the models share no {unit} ({counts}); each is shown on its own, and none is compared"
        cells = {
            name: _cells(np.array([[v.mean_of(c) for c in sorted(v.by_clip)]]).T, {name: v}, resamples, seed)[
                name
            ]
            for name, v in has.items()
        }
        return {name: {**cell, "is_best": False} for name, cell in cells.items()}, [note]
    notes = []
    if any(len(values.by_clip) != len(common) for values in has.values()):
        notes.append(
            f"task {column.task}: the numbers are of the {len(common)} {unit} that all models have ({counts})"
        )
    if len(common) < FEW_CLIPS:
        notes.append(f"task {column.task}: {len(common)} {unit} are few; the intervals are rough")
    clips = sorted(common)
    values = np.array([[one.mean_of(clip) for clip in clips] for one in has.values()]).T
    return _cells(values, has, resamples, seed), notes


def _cells(values: Any, has: Mapping[str, Values], resamples: int, seed: int) -> dict[str, EvalCell]:
    """values: (clips, models) float64, the models in the order of `has`."""
    clips = values.shape[0]
    means = values.mean(axis=0)
    drawn = resampled_means(values, resamples=resamples, seed=seed) if clips > 1 else None
    best = int(means.argmax())
    cells: dict[str, EvalCell] = {}
    for n, (name, told) in enumerate(has.items()):
        low, high = interval(drawn[:, n]) if drawn is not None else (None, None)
        cell: EvalCell = {
            "mean": float(means[n]),
            "low": low,
            "high": high,
            "clips": clips,
            "captions": told.captions,
            "truncated_share": told.truncated / told.captions,
            "behind_best": None,
            "behind_best_low": None,
            "behind_best_high": None,
            "is_best": n == best and len(has) > 1,
            "is_worse_than_best": None,
        }
        if n != best:
            cell["behind_best"] = float(means[best] - means[n])
            if drawn is not None:
                behind, most = interval(drawn[:, best] - drawn[:, n])
                cell["behind_best_low"], cell["behind_best_high"] = behind, most
                cell["is_worse_than_best"] = behind > 0
        cells[name] = cell
    return cells


def task_of_row(row: Mapping[str, Any], path_column: str) -> int:
    """1 to 3: as the row says, or else by what it has."""
    told = row.get("task")
    if isinstance(told, str) and told in set(Task):
        return TASKS[Task(told)]
    if not row.get(path_column):
        return 3
    return 2 if row.get("short") else 1
