"""`vidprompter sheet`."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("sheet", short_help="Show what is measured in a clip.")
@click.argument("clips", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--start", type=click.FloatRange(0), help="Measure from this second on.")
@click.option("--end", type=click.FloatRange(0, min_open=True), help="Measure up to this second.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Clips measured at once."
)
@click.option(
    "--decode-timeout",
    type=click.FloatRange(0, min_open=True),
    default=120.0,
    show_default=True,
    help="Seconds a clip may take.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="JSON on stdout: one object for one clip, a list for several."
)
@click.pass_context
def sheet_command(
    ctx: click.Context, clips: tuple[Path, ...], start: float | None, end: float | None, workers: int,
    decode_timeout: float, as_json: bool,
) -> None:  # fmt: skip
    """Show what is measured in CLIPS: camera, shots, objects, scene, light, colours, each with a confidence (0-1).

    \b
      vidprompter sheet clip.mp4
      vidprompter sheet clip.mp4 --json
    """
    from batch.sheets import measure_all

    rows, failed = [], 0
    for result in measure_all(clips, start=start, end=end, workers=workers, decode_timeout=decode_timeout):
        if result.sheet is None:
            failed += 1
            click.echo(f"vidprompter: {type(result.error).__name__}: {result.error}", err=True)
            rows.append(
                {
                    "path": str(result.path),
                    "error": {"type": type(result.error).__name__, "message": str(result.error)},
                }
            )
        elif as_json:
            rows.append(result.sheet.to_json())
        else:
            from rich.console import Console

            from vidprompter.sheet.render import sheet_table

            Console().print(sheet_table(result.sheet))
    if as_json:
        click.echo(json.dumps(rows[0] if len(clips) == 1 else rows, indent=1, ensure_ascii=False))
    ctx.exit(1 if failed else 0)
