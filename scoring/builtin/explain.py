"""Why a score of `builtin` is what it is, as something that rich can print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidprompter.scores import Score

if TYPE_CHECKING:
    from rich.console import RenderableType

_LOOK = {"supported": "green", "contradicted": "red", "open": "dim"}
_ORDER = ("contradicted", "supported", "open")


def explain(score: Score) -> RenderableType:
    """A table of what was said and measured and of the verdict on it, errors first, under a line with the parts."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    value = "no score" if score.value is None else f"{score.value:.1f} of 100"
    parts = [
        f"{name} {score.details[name]:.2f}"
        for name in ("precision", "recall", "match")
        if score.details.get(name) is not None
    ]
    line = f"{score.evaluator}: {', '.join([value, *parts])}"
    if score.flags:
        line += f" [{'; '.join(score.flags)}]"
    facts = score.details.get("facts", ())
    if not facts:
        return Text(line)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("fact", "said", "measured", "support", "verdict"):
        table.add_column(name, justify="right" if name == "support" else "left", overflow="fold")
    for fact in sorted(facts, key=lambda one: _ORDER.index(one["verdict"])):
        word = fact["verdict"]
        table.add_row(
            fact["kind"],
            Text(fact["said"]),
            Text(fact["measured"] or "-"),
            f"{fact['support']:.2f}",
            Text(word, style=_LOOK[word]),
        )
    missed = score.details.get("missed", ())
    rest = [Text("not named: " + ", ".join(missed), style="dim")] if missed else []
    return Group(Text(line), table, *rest)
