"""`vidprompter expand`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from batch.caption.rows import ExpandRow
from batch.commands.writing import batch_of, check_variants, writing_of, writing_options
from batch.expand import ExpandOptions, expand, read_ideas
from batch.inputs.sidecar import checked_short
from batch.writers import writer_source
from vidprompter.errors import InputError

BATCH_IDEAS = 16


@click.command(
    "expand",
    short_help="Turn short ideas into detailed prompts.",
    help="""Turn short IDEAS into detailed prompts for a text-to-video model.

    Each argument is one idea; - reads one idea a line from stdin. Prompts go to stdout with a blank line
    between them.

    \b
      vidprompter expand "a cat on a roof" -n 4
      vidprompter expand --from ideas.txt --json
    """,
)
@click.argument("ideas", nargs=-1)
@click.option(
    "--from",
    "source_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with one idea a line.",
)
@click.option(
    "-n",
    "--variants",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Prompts for each idea.",
)
@writing_options
@click.option(
    "--batch-size",
    type=click.IntRange(1, 4096),
    help=f"Prompts at once.  [default: {BATCH_IDEAS}; with a server 4 times --concurrency]",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON list of rows on stdout.")
def expand_command(
    ideas: tuple[str, ...],
    source_file: Path | None,
    variants: int,
    batch_size: int | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Puts the parts together; see the help text."""
    writing = writing_of(options)
    check_variants(variants, "-n", writing.sampling)
    asked = list(_all_ideas(ideas, source_file))
    source = writer_source(writing, _say)
    return expand(
        asked,
        ExpandOptions(
            writing.sampling.resolved(source.capabilities.candidates),
            writing.seed,
            variants,
            batch_size or batch_of(source.identity, writing, BATCH_IDEAS),
            writing.wording,
            writing.options,
        ),
        source,
        show=_Printer(len(asked) * variants > 1),
        answer=_answer,
        say=_say,
        as_json=as_json,
    )


class _Printer:
    """Prints prompts with a blank line between them; on a terminal each under its idea."""

    def __init__(self, several: bool) -> None:
        self._headed = several and sys.stdout.isatty()
        self._first = True

    def __call__(self, row: ExpandRow) -> None:
        if not self._first:
            click.echo()
        self._first = False
        if self._headed:
            click.secho(f"{row['short']}  ·  {row['variant'] + 1}", bold=True, fg="cyan")
        _answer(row["prompt"] or "")
        if "negative" in row:
            _say(f"negative prompt: {row['negative']}")


def _all_ideas(ideas: tuple[str, ...], source_file: Path | None) -> Iterator[str]:
    for position, given in enumerate(ideas, 1):
        if given == "-":
            lines = sys.stdin.buffer.read().decode("utf-8", "replace").splitlines()
            yield from read_ideas(lines, "stdin", _say)
            continue
        idea = checked_short(given, f"idea {position}")
        if idea is None:
            raise InputError(f"idea {position} is blank; write what should be seen")
        yield idea
    if source_file is not None:
        try:
            text = source_file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{str(source_file)!r} cannot be read as UTF-8 text ({error})") from None
        yield from read_ideas(text.splitlines(), repr(str(source_file)), _say)


def _answer(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()


def _say(line: str) -> None:
    click.echo(line, err=True)
