"""`vidprompter score`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from batch.caption.run import shown
from batch.commands.scored_files import check_mode, file_options
from batch.commands.scoring import DEFAULT, DEFAULT_WITHOUT_CLIP, evaluator_options, names_of, options_of
from batch.score.asked import Asked, asked_of, read_captions
from scoring.names import make_evaluator
from vidprompter.errors import InputError
from vidprompter.video.files import show


@click.command(
    "score",
    short_help="Say how well captions fit a clip.",
    help="""Say how well captions fit a clip.

    The first argument is the clip, all others are captions of it; - reads captions from stdin, one a line.
    Higher is better. What an evaluator does not read of a long caption is shown beside its number.

    \b
      vidprompter score clip.mp4 "a dog runs on a beach" "a cat on a roof"
      vidprompter score clip.mp4 "a dog runs" --evaluator clip --evaluator builtin
      vidprompter score clip.mp4 "a dog runs" --explain
      vidprompter score clip.mp4 --from captions.txt --evaluator paper --json
      vidprompter score --no-clip "A dog runs on a beach." --evaluator rubric

    With --captions it scores all rows of a file, and writes them with their scores beside it. The same
    command goes on after an interruption.

    \b
      vidprompter score --captions captions.jsonl --evaluator paper
      vidprompter score --captions mine.csv --text-column text --root clips/ --out scored.csv
      vidprompter score --captions beams.jsonl --beams
    """,
)
@click.argument("clip_and_captions", nargs=-1, metavar="[CLIP CAPTION...]")
@click.option(
    "--from",
    "source_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with one caption a line.",
)
@click.option("--no-clip", is_flag=True, help="All arguments are captions: texts without a clip.")
@click.option("--start", type=click.FloatRange(0), help="The clip from this second on.")
@click.option("--end", type=click.FloatRange(0, min_open=True), help="The clip up to this second.")
@click.option("--explain", is_flag=True, help="Say why the numbers are what they are.")
@file_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the rows of --captions to FILE.  [default: FILE.scored.jsonl beside it]",
)
@click.option("--beams", is_flag=True, help="Score all beams of a row of --captions too.")
@click.option(
    "--by", metavar="NAME", help="With --beams: what the best beam is chosen by.  [default: the mean]"
)
@evaluator_options()
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="JSON on stdout: one object for each caption, or with --captions the summary.",
)
def score_command(clip_and_captions: tuple[str, ...], **options: Any) -> int:
    """Puts the parts together; see the help text."""
    if check_mode(clip_and_captions, options):
        return _score_file(options)
    return _score_line(clip_and_captions, options)


def _score_line(words: tuple[str, ...], options: dict[str, Any]) -> int:
    from batch.score.direct import answers_json, exit_code, score_asked, show_scores

    if options["by"] is not None:
        raise InputError("--by is for --captions FILE --beams; `vidprompter rank` ranks captions of one clip")
    if options["explain"] and options["as_json"]:
        raise InputError("--json has all details already, so --explain says nothing; drop one")
    asked = asked_on_the_line("score", words, options)
    names = names_of(options, DEFAULT_WITHOUT_CLIP if asked.clip is None else DEFAULT)
    evaluator = make_evaluator(names, options_of(options), say)
    try:
        scored = score_asked(asked, evaluator, say)
    finally:
        evaluator.close()
    if options["as_json"]:
        answer(answers_json(asked, scored, evaluator.identities))
    else:
        show_scores(scored, evaluator.identities, explain=options["explain"], say=say)
    return exit_code(scored)


def _score_file(options: dict[str, Any]) -> int:
    from batch.caption.run import Talk
    from batch.score.direct import key_of
    from batch.score.flow import batch_clips_for
    from batch.score.jobs import ScoreSettings
    from batch.score.run import ScoreOptions, ScoreRun, check_out, default_out
    from batch.score.tables import format_of, read_rows
    from batch.score.views import scored_view

    captions: Path = options["captions"]
    format_of(captions)
    out: Path = options["out"] or default_out(captions, "scored")
    check_out(out, captions)
    if options["by"] is not None and not options["beams"]:
        raise InputError("--by says which beam is best, so it needs --beams; add that, or drop it")
    running = options_of(options)
    evaluator = make_evaluator(names_of(options, DEFAULT), running, say)
    try:
        settings = ScoreSettings(
            evaluator.identities,
            options["text_column"],
            options["path_column"],
            options["beams"],
            key_of(evaluator.identities, options["by"]) if options["beams"] else "mean",
        )
        run = ScoreRun(
            settings,
            ScoreOptions(
                captions,
                options["root"] or captions.parent,
                out,
                scored_view(out, captions),
                options["fresh"],
                options["retry_failed"],
                options["as_json"],
                batch_clips=batch_clips_for(settings.names, running),
            ),
            evaluator,
            Talk(answer, say),
        )
        return run.execute(read_rows(captions))
    finally:
        evaluator.close()


def asked_on_the_line(command: str, words: tuple[str, ...], options: dict[str, Any]) -> Asked:
    """The clip and the captions of a command line.

    Raises:
        InputError: see `asked_of`; or a file of captions is not UTF-8 text.
    """
    source: Path | None = options["source_file"]
    return asked_of(
        words,
        [] if source is None else list(_captions_of(source)),
        stdin=_stdin_captions,
        command=command,
        has_clip=not options["no_clip"],
        start=options["start"],
        end=options["end"],
    )


def _captions_of(source: Path) -> Iterator[str]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{show(source)} cannot be read as UTF-8 text ({error})") from None
    return read_captions(text.split("\n"), show(source), say)


def _stdin_captions() -> Iterator[str]:
    lines = sys.stdin.buffer.read().decode("utf-8", "replace").split("\n")
    return read_captions(lines, "stdin", say)


def answer(line: str) -> None:
    """Writes to stdout."""
    click.echo(shown(line))
    sys.stdout.flush()


def say(line: str) -> None:
    """Writes to stderr."""
    click.echo(shown(line), err=True)
