"""A comparison as a picture: a point with its interval for each model, a panel for each column."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch.outputs.whole import write_whole
from batch.score.compare import Column, Comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TASK_NAMES = {
    1: "Task 1: video to prompt",
    2: "Task 2: video and short prompt to prompt",
    3: "Task 3: short prompt to prompt",
}
LEGEND = "Mean and 95 % interval by bootstrap over clips. Green: the best. Hollow: worse than the best by more than chance."
_INK, _BEST, _WORSE = "#33383f", "#1b6e53", "#8a929c"
_NAME_CHARACTERS = 32


def plot(comparison: Comparison, folder: Path) -> list[Path]:
    """`plot.png` and `plot.svg` in `folder`; nothing of a screen is needed.

    Raises:
        OutputError: they cannot be written.
    """
    paths = []
    with _settings():
        figure = draw(comparison)
        for kind, more in (("png", {"dpi": 160}), ("svg", {"metadata": {"Date": None}})):
            path = folder / f"plot.{kind}"
            write_whole(path, lambda file, kind=kind, more=more: figure.savefig(file, format=kind, **more))  # type: ignore[misc]
            paths.append(path)
    return paths


@contextmanager
def _settings() -> Iterator[None]:
    """While entered, the same numbers give the same picture."""
    from matplotlib import rc_context

    # Ids in the SVG come from the salt; its text stays text, in whatever font the reader has.
    plain = rc_context(
        {"svg.hashsalt": "vidprompter", "svg.fonttype": "none", "font.size": 9, "text.parse_math": False}
    )
    with plain, warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing"
        )  # a name in a script that the font lacks
        yield


def draw(comparison: Comparison) -> Figure:
    """The figure: a row of panels for each task, the models from top to bottom in each."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    by_task: dict[int, list[Column]] = {}
    for column in comparison.columns:
        by_task.setdefault(column.task, []).append(column)
    widest = max(map(len, by_task.values()))
    names = [_short(model.name) for model in comparison.models]
    margin = 0.5 + 0.075 * max(map(len, names))
    panel = 0.9 + 0.27 * len(names)
    with _settings():
        figure = Figure(
            figsize=(margin + 2.9 * widest, 0.35 + (panel + 0.5) * len(by_task)), layout="constrained"
        )
        FigureCanvasAgg(figure)
        *parts, foot = figure.subfigures(
            len(by_task) + 1, 1, squeeze=False, height_ratios=[*[panel + 0.5] * len(by_task), 0.35]
        )[:, 0]
        foot.text(0.01, 0.5, LEGEND, fontsize=8, color=_INK, va="center")
        for part, (task, columns) in zip(parts, by_task.items(), strict=True):
            part.suptitle(TASK_NAMES[task], fontsize=10, fontweight="bold", color=_INK, x=0.01, ha="left")
            panels = part.subplots(1, widest, squeeze=False, sharey=True)[0]
            for axes, column in zip(panels, columns, strict=False):
                _panel(axes, comparison, column)
            for axes in panels[len(columns) :]:
                axes.set_visible(False)
            panels[0].set_yticks(range(len(names)), names)
        figure.canvas.draw()  # the layout is made while the settings hold
    return figure


def _panel(axes: Any, comparison: Comparison, column: Column) -> None:
    for place, model in enumerate(comparison.models):
        cell = comparison.cells.get((model.name, column))
        if cell is None:
            axes.annotate(
                "no captions", (0.5, place), xycoords=("axes fraction", "data"), ha="center", va="center",
                fontsize=7.5, color=_WORSE,
            )  # fmt: skip
            continue
        color = _BEST if cell["is_best"] else _WORSE if cell["is_worse_than_best"] else _INK
        if cell["low"] is not None and cell["high"] is not None:
            axes.plot(
                [cell["low"], cell["high"]], [place, place], color=color, linewidth=2, solid_capstyle="butt"
            )
        axes.plot(
            [cell["mean"]], [place], "o", color=color, markersize=6,
            markerfacecolor=color if not cell["is_worse_than_best"] else "white",
        )  # fmt: skip
    identity = comparison.identities[column.evaluator]
    axes.set_title(
        f"{column.evaluator}  ({identity.low:g} to {identity.high:g})", fontsize=9, color=_INK, loc="left"
    )
    axes.set_ylim(len(comparison.models) - 0.5, -0.5)
    axes.grid(axis="x", color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.12)
    axes.tick_params(length=0, colors=_INK)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.locator_params(axis="x", nbins=5)


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 3]}..."
