"""`vidprompter caption`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from batch.caption.flow import FlowOptions
from batch.caption.jobs import CaptionSettings
from batch.caption.run import CaptionOptions, CaptionRun, Talk, default_workers, shown
from batch.inputs.collect import Given, collect_clips
from batch.inputs.sidecar import checked_short
from batch.writers import writer_source
from vidprompter.tasks import Sampling

DEFAULTS = Sampling()


@click.command(
    "caption",
    short_help="Write a detailed prompt for each video.",
    help="""Write a detailed prompt for each video or picture in PATHS.

    PATHS are folders (read recursively), files, globs, manifests (CSV, TSV or JSONL with a `path` column and,
    if wanted, `short`, `start`, `end`), or - for a list on stdin, one path a line.

    With a short description (--short, a `short` column, or a .txt beside the clip) the prompt is written from
    both, and the description may be wrong.

    \b
      vidprompter caption clips/ --out captions.jsonl     resumable; run it again to go on
      vidprompter caption clip.mp4 --short "a red car"    one prompt, to the screen
      find . -name '*.mp4' | vidprompter caption - --json
    """,
)
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write rows to FILE (JSON lines)."
)
@click.option("--short", help="A short description, for every clip.")
@click.option("--no-sidecar", is_flag=True, help="Do not read the .txt beside a clip.")
@click.option("--model", default="builtin", show_default=True, help="Registry name, folder or hub id.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option(
    "--candidates", type=int, default=DEFAULTS.candidates, show_default=True, help="Drawn; the best is kept."
)
@click.option("--max-new-tokens", type=int, default=DEFAULTS.max_new_tokens, show_default=True)
@click.option(
    "--temperature", type=float, default=DEFAULTS.temperature, show_default=True, help="0 is greedy."
)
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Decoding processes.  [default: cores - 1, at most 8]"
)
@click.option(
    "--batch-size", type=click.IntRange(1, 1024), default=8, show_default=True, help="Clips at once."
)
@click.option(
    "--decode-timeout",
    type=click.FloatRange(0, 86400, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds a clip may take to be read and measured.",
)
@click.option("--retry-failed", is_flag=True, help="Try again what failed in an earlier run.")
@click.option("--fresh", is_flag=True, help="Forget an earlier run: --out and its ledger are written anew.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N clips.")
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout: rows, or with --out the summary.")
def caption_command(
    paths: tuple[str, ...],
    out: Path | None,
    short: str | None,
    no_sidecar: bool,
    model: str,
    seed: int,
    candidates: int,
    max_new_tokens: int,
    temperature: float,
    workers: int | None,
    batch_size: int,
    decode_timeout: float,
    retry_failed: bool,
    fresh: bool,
    limit: int | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Puts the parts together; see the help text."""
    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=temperature, candidates=candidates)
    talk = Talk(answer=_answer, say=_say)
    given = Given(
        paths=paths,
        lines=_stdin_lines() if "-" in paths else (),
        short=checked_short(short, "--short") if short is not None else None,
        use_sidecars=not no_sidecar,
        limit=limit,
    )
    entries = list(collect_clips(given, talk.say))  # what cannot be used is said before anything is opened
    source = writer_source(model)
    run = CaptionRun(
        settings=CaptionSettings(source.identity, sampling, seed),
        options=CaptionOptions(
            out=out,
            flow=FlowOptions(workers or default_workers(), batch_size, decode_timeout),
            retry_failed=retry_failed,
            fresh=fresh,
            as_json=as_json,
        ),
        source=source,
        talk=talk,
    )
    return run.dry(entries) if dry_run else run.execute(entries)


def _stdin_lines() -> list[str]:
    """The paths on stdin; bytes that are not UTF-8 stay what they are, as in file names."""
    return [os.fsdecode(line) for line in sys.stdin.buffer.read().splitlines()]


def _answer(line: str) -> None:
    click.echo(shown(line))
    sys.stdout.flush()


def _say(line: str) -> None:
    click.echo(shown(line), err=True)
