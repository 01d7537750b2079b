"""`vidprompter merge`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from batch.shards import find_shards, merge


@click.command(
    "merge",
    short_help="Join the outputs of --shard runs into one.",
    help="""Join the outputs of `caption --shard` runs into OUT, with a ledger of its own.

    SHARDS are the outputs to join; without them, those of OUT that stand beside it are found by their names.
    They stay as they are.

    \b
      vidprompter caption clips/ --out captions.jsonl --shard 0/2     on one machine
      vidprompter caption clips/ --out captions.jsonl --shard 1/2     on another
      vidprompter merge captions.jsonl
    """,
)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("shards", nargs=-1, type=click.Path(path_type=Path))
@click.option("--partial", is_flag=True, help="Also where clips are left to do.")
@click.option("--fresh", is_flag=True, help="Write OUT anew if it is there.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def merge_command(out: Path, shards: tuple[Path, ...], partial: bool, fresh: bool, as_json: bool) -> None:
    """Puts the parts together; see the help text."""

    def say(line: str) -> None:
        click.echo(line, err=True)

    merged = merge(out, shards or find_shards(out), partial=partial, fresh=fresh)
    if merged.duplicates:
        say(f"{merged.duplicates} clips stood in two shards; the first was taken")
    if as_json:
        whole = {"out": str(out), "shards": merged.shards, "duplicates": merged.duplicates, **merged.counts}
        click.echo(json.dumps(whole))
        return
    counts = ", ".join(f"{number} {status}" for status, number in merged.counts.items() if status != "split")
    click.echo(f"{out}: {counts} from {merged.shards} shards")
