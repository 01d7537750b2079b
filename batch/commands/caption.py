"""`vidprompter caption`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import click

from batch.caption.dry import show_plan
from batch.caption.flow import FlowOptions, usable_cores
from batch.caption.jobs import CaptionSettings
from batch.caption.measure import held_bytes, measure_for
from batch.caption.run import CaptionOptions, CaptionRun, Talk, shown
from batch.caption.split import Split
from batch.commands.writing import batch_of, check_variants, writing_of, writing_options
from batch.inputs.collect import Given, collect_clips
from batch.inputs.columns import parse_columns
from batch.inputs.entry import ClipEntry
from batch.inputs.sidecar import checked_short
from batch.outputs.choose import FORMATS, ON_EXISTS, Wanted, choose_output
from batch.writers import writer_source
from vidprompter.errors import InputError
from vidprompter.runs.run import Rules

BATCH_CLIPS = 32


@click.command(
    "caption",
    short_help="Write a detailed prompt for each video.",
    help="""Write a detailed prompt for each video or picture in PATHS.

    PATHS are folders (read recursively), files, globs, manifests (CSV, TSV, JSONL or Parquet with a `path`
    column and, if wanted, `short`, `start`, `end`), WebDataset shards (.tar), or - for a list on stdin, one
    path a line.

    With a short description (--short, a `short` column, or a .txt beside the clip) the prompt is written from
    both, and the description may be wrong.

    \b
      vidprompter caption clips/ --out captions.jsonl     resumable; run it again to go on
      vidprompter caption clip.mp4 --short "a red car"    one prompt, to the screen
      vidprompter caption films/ --per-shot --out shots.parquet
      vidprompter caption clips/ --format txt             clip.txt beside clip.mp4
      find . -name '*.mp4' | vidprompter caption - --json
    """,
)
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write rows to FILE; with --format txt a folder.  [default: stdout; txt: beside the clips]",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="Form of --out.  [default: by its suffix, else jsonl]",
)
@click.option(
    "--on-exists",
    type=click.Choice(ON_EXISTS),
    help="txt: what to do where a text file is there already.  [default: skip]",
)
@click.option("--short", help="A short description, for every clip.")
@click.option("--no-sidecar", is_flag=True, help="Do not read the .txt beside a clip.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=COLUMN",
    help="Where a manifest has path, short, start or end, e.g. path=video_path.",
)
@click.option("--per-shot", is_flag=True, help="Cut files at their cuts: one row for each shot.")
@click.option("--every", type=float, metavar="SECONDS", help="Cut files into windows: one row for each.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N clips.")
@click.option("--shard", metavar="I/N", help="Only part I (from 0) of N; `merge` joins the outputs.")
@click.option(
    "--per-clip",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Different prompts for each clip.",
)
@writing_options
@click.option("--workers", type=click.IntRange(1, 256), help="Decoding processes.  [default: one per core]")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 4096),
    help=f"Clips at once.  [default: {BATCH_CLIPS}; with a server 4 times --concurrency]",
)
@click.option(
    "--decode-timeout",
    type=click.FloatRange(0, 86400, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds a clip may take to be read and measured.",
)
@click.option("--retry-failed", is_flag=True, help="Try again what failed in an earlier run.")
@click.option("--full-hash", is_flag=True, help="Tell changed files by all of their bytes; reads every file.")
@click.option("--fresh", is_flag=True, help="Forget an earlier run: --out and its ledger are written anew.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, with sizes and an estimate.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout: rows, or with --out the summary.")
def caption_command(paths: tuple[str, ...], **options: Any) -> int:
    """Puts the parts together; see the help text."""
    talk = Talk(answer=_answer, say=_say)
    writing = writing_of(options)
    check_variants(options["per_clip"], "--per-clip", writing.sampling)
    shard = parse_shard(options["shard"])
    chosen = choose_output(
        Wanted(options["out"], options["format_name"], options["on_exists"], paths, shard), talk.say
    )
    short = options["short"]
    given = Given(
        paths=paths,
        lines=_stdin_lines() if "-" in paths else (),
        short=checked_short(short, "--short") if short is not None else None,
        use_sidecars=not options["no_sidecar"] and not chosen.writes_sidecars,
        limit=options["limit"],
        columns=parse_columns(options["columns"]),
    )
    entries = begun(collect_clips(given, talk.say))  # a mistyped path is said before anything is written
    source = writer_source(writing, talk.say)
    settings = CaptionSettings(
        source.identity,
        writing.sampling.resolved(source.capabilities.candidates),
        writing.seed,
        options["per_clip"],
        wording=writing.wording,
        options=writing.options,
    )
    cut = Split(per_shot=options["per_shot"], every=options["every"])
    run = CaptionRun(
        settings=replace(settings, split=cut if cut else None),
        options=CaptionOptions(
            out=chosen.base,
            flow=FlowOptions(
                options["workers"] or usable_cores(),
                options["batch_size"] or batch_of(source.identity, writing, BATCH_CLIPS),
                options["decode_timeout"],
                options["full_hash"],
                clip_bytes=held_bytes(source.capabilities, writing.options),
            ),
            fresh=options["fresh"],
            as_json=options["as_json"],
            rules=Rules(options["retry_failed"], options["full_hash"], shard),
            view=chosen.view,
            needs_none=chosen.has_one,
            label=chosen.label,
        ),
        source=source,
        talk=talk,
        measure=measure_for(source.capabilities, writing.options),
    )
    return show_plan(run, entries) if options["dry_run"] else run.execute(entries)


def begun(entries: Iterator[ClipEntry]) -> Iterator[ClipEntry]:
    """`entries`, the first of which was looked for already."""
    return chain(list(islice(entries, 1)), entries)


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """(number from 0, count) of `--shard I/N`.

    Raises:
        InputError: it is not of that form, or the number is not below the count.
    """
    if text is None:
        return None
    number, slash, count = text.partition("/")
    if not (slash and number.strip().isdecimal() and count.strip().isdecimal()):
        raise InputError(f"--shard is {text!r}; it must be I/N, such as 0/8 (the first of eight) to 7/8")
    if not int(number) < int(count):
        raise InputError(
            f"--shard is {text!r}; I counts from 0 and must be below N: 0/{count} to {int(count) - 1}/{count}"
            if int(count)
            else f"--shard is {text!r}; N must be at least 1"
        )
    return int(number), int(count)


def _stdin_lines() -> Iterator[str]:
    """The paths on stdin; bytes that are not UTF-8 stay what they are, as in file names."""
    for line in sys.stdin.buffer:
        yield os.fsdecode(line.rstrip(b"\r\n"))


def _answer(line: str) -> None:
    click.echo(shown(line))
    sys.stdout.flush()


def _say(line: str) -> None:
    click.echo(shown(line), err=True)
