"""A comparison as a table: for the screen, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from batch.score.compare import Column, Comparison, EvalCell, Model
from batch.score.show import digits_of

if TYPE_CHECKING:
    from rich.table import Table

LEGEND = (
    "Beside each mean: its 95 % interval, by bootstrap over clips. "
    "*: worse than the best of its column by more than chance."
)
MISSING = "-"


def screen_table(comparison: Comparison) -> Table:
    """For a terminal; the best of a column is bold."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("model", overflow="fold")
    table.add_column("captions", justify="right")
    for column in comparison.columns:
        name = column.evaluator.replace("videoclip-xl", "video-\nclip-xl").replace("long-clip", "long-\nclip")
        table.add_column(f"task {column.task}\n{name}", justify="right", no_wrap=True)
    table.add_column("cut short")
    for model in comparison.models:
        cells = [
            Text(
                cell_text(comparison, model, column, form="{0}\n{1}–{2}"),
                style="bold" if _is_best(comparison, model, column) else "",
            )
            for column in comparison.columns
        ]
        table.add_row(Text(model.name), str(model.captions), *cells, cut_text(comparison, model))
    return table


def markdown(comparison: Comparison) -> str:
    """A Markdown page: the table, its legend, and the notes."""
    heads = ["model", "captions", *(str(column) for column in comparison.columns), "cut short"]
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 2), "---"])]
    for model in comparison.models:
        cells = []
        for column in comparison.columns:
            text = cell_text(comparison, model, column).replace("*", "\\*")
            cells.append(f"**{text}**" if _is_best(comparison, model, column) else text)
        name = model.name.replace("|", "\\|")
        lines.append(_line([name, str(model.captions), *cells, cut_text(comparison, model)]))
    notes = [LEGEND.replace("*", "\\*"), *comparison.notes]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes), ""])


def csv_text(comparison: Comparison) -> str:
    """One line for each model; of each column all figures."""
    figures = (
        "mean",
        "low",
        "high",
        "clips",
        "captions",
        "truncated_share",
        "behind_best",
        "behind_best_low",
        "behind_best_high",
        "is_worse_than_best",
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            "model",
            "captions",
            *(f"task{c.task}_{c.evaluator}_{figure}" for c in comparison.columns for figure in figures),
        ]
    )
    for model in comparison.models:
        values: list[object] = [model.name, model.captions]
        for column in comparison.columns:
            cell = comparison.cells.get((model.name, column))
            told = dict(cell) if cell is not None else {}
            values += ["" if told.get(figure) is None else told[figure] for figure in figures]
        writer.writerow(values)
    return out.getvalue()


def cell_text(comparison: Comparison, model: Model, column: Column, form: str = "{0} [{1}, {2}]") -> str:
    """ "28.8 [28.4, 29.2]", with a star where it is worse than the best; "-" where it is missing.

    form: of mean, low and high.
    """
    cell: EvalCell | None = comparison.cells.get((model.name, column))
    if cell is None:
        return MISSING
    digits = digits_of(comparison.identities[column.evaluator])
    star = "*" if cell["is_worse_than_best"] else ""
    text = f"{cell['mean']:.{digits}f}{star}"
    if cell["low"] is None or cell["high"] is None:
        return text
    return form.format(text, f"{cell['low']:.{digits}f}", f"{cell['high']:.{digits}f}")


def cut_text(comparison: Comparison, model: Model) -> str:
    """What share of the captions each evaluator did not read to the end: "clip 61 %"."""
    read: dict[str, tuple[int, int]] = {}
    for column in comparison.columns:
        values = model.columns.get(column)
        if values is not None:
            cut, number = read.get(column.evaluator, (0, 0))
            read[column.evaluator] = cut + values.truncated, number + values.captions
    told = [f"{name} {_percent(cut / number)}" for name, (cut, number) in read.items() if cut]
    return ", ".join(told) or MISSING


def _percent(share: float) -> str:
    return "under 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def _is_best(comparison: Comparison, model: Model, column: Column) -> bool:
    cell = comparison.cells.get((model.name, column))
    return cell is not None and cell["is_best"]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
