"""The scene sheet as a table for people, with the palette as a strip of its colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidprompter.sheet.lines import speed_word, told_camera
from vidprompter.sheet.types import CameraMotion, SceneSheet

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

STRIP_WIDTH = 40


def sheet_table(sheet: SceneSheet) -> RenderableType:
    """One table: a row per kind of fact, with its confidence; unknown facts are shown as unknown."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, title=sheet.path, title_justify="left", pad_edge=False)
    table.add_column("fact", style="bold")
    table.add_column("measured")
    table.add_column("sure", justify="right")
    length = f"{sheet.duration:.1f} s, {sheet.fps:.3g} frames a second" if sheet.duration else "a picture"
    table.add_row("clip", f"{length}, {sheet.width} x {sheet.height}, pace {sheet.pace}", "")
    told = told_camera(sheet)
    note = "" if told == sheet.camera.motion else f"; told of the whole clip: {told}"
    table.add_row("camera", _camera(sheet.camera) + note, _sure(sheet.camera.confidence))
    _add_shots(table, sheet)
    for thing in sheet.objects:
        about = [thing.color, thing.position, thing.motion]
        text = ", ".join(a for a in about if a != "unknown")
        table.add_row(
            "object",
            f"{thing.count} x {thing.label}" + (f" ({text})" if text else ""),
            _sure(thing.confidence),
        )
    others = ", ".join(f"{o.label} {o.confidence:.2f}" for o in sheet.scene.others[:3])
    table.add_row(
        "scene",
        sheet.scene.label + (f"   [dim]or {others}[/dim]" if others else ""),
        _sure(sheet.scene.confidence),
    )
    light = f"{sheet.light.label}, {sheet.light.temperature}" if sheet.light.label != "unknown" else "unknown"
    table.add_row("light", light, _sure(sheet.light.confidence))
    table.add_row("contrast", sheet.contrast.label, _sure(sheet.contrast.confidence))
    names = ", ".join(f"{c.name} {c.share:.0%}" for c in sheet.palette)
    table.add_row("palette", ("black and white: " if sheet.monochrome else "") + names, "")
    table.add_row("", _strip(sheet), "")
    return table


def _add_shots(table: Table, sheet: SceneSheet) -> None:
    for number, shot in enumerate(sheet.shots, 1):
        size = shot.size if shot.size != "unknown" else "size unknown"
        text = f"{shot.start:.1f} - {shot.end:.1f} s: {size}, {_camera(shot.camera)}"
        table.add_row(f"shot {number}", text, _sure(shot.size_confidence))


def _camera(camera: CameraMotion) -> str:
    if camera.motion in ("static", "unknown"):
        return camera.motion
    unit = "turns" if camera.motion == "roll" else "of the frame"
    pace = "" if camera.motion == "handheld" else f"{speed_word(camera.motion, camera.speed)}, "
    return f"{camera.motion} ({pace}{camera.speed:.3f} {unit} a second)"


def _sure(confidence: float) -> str:
    return f"{confidence:.2f}"


def _strip(sheet: SceneSheet) -> Text:
    """The palette as coloured blocks, each as wide as its share."""
    from rich.text import Text

    strip = Text()
    total = sum(c.share for c in sheet.palette) or 1.0
    for color in sheet.palette:
        strip.append(" " * max(1, round(STRIP_WIDTH * color.share / total)), style=f"on {color.hex}")
    return strip
