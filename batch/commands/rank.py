"""`vidprompter rank`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from batch.commands.score import answer, asked_on_the_line, say
from batch.commands.scored_files import check_mode, file_options
from batch.commands.scoring import DEFAULT, DEFAULT_WITHOUT_CLIP, evaluator_options, names_of, options_of
from scoring.names import make_evaluator


@click.command(
    "rank",
    short_help="Put the captions of a clip in order, the best first.",
    help="""Put the captions of a clip in order, the best first, with how far each is ahead of the next.

    The first argument is the clip, all others are captions of it; - reads captions from stdin, one a line.
    Captions are ranked by the mean of the evaluators, which must have one range; or by one of them, --by.
    Equal ones share a rank and stay in the order given. What has no score comes last.

    \b
      vidprompter rank clip.mp4 "a dog runs on a beach" "a cat on a roof"
      vidprompter rank clip.mp4 --from captions.txt --evaluator paper --json
      vidprompter rank clip.mp4 "a dog" "a cat" --evaluator builtin --evaluator rubric --by builtin

    With --captions it ranks the candidates of every clip in a file: the rows of one clip (its variants), or
    with --beams all beams of these. Scores of the same evaluators that the rows have are not computed again.

    \b
      vidprompter rank --captions captions.jsonl --keep 1 --out best.jsonl
      vidprompter rank --captions beams.jsonl --beams --evaluator paper
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
@click.option(
    "--by", metavar="NAME", help="The evaluator to rank by, of those asked.  [default: the mean of all]"
)
@file_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the rows of --captions to FILE.  [default: FILE.ranked.jsonl beside it]",
)
@click.option("--keep", type=click.IntRange(min=1), help="Only the best N of each clip in --captions.")
@click.option("--beams", is_flag=True, help="Rank all beams of the rows of --captions, each as its own row.")
@evaluator_options()
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="JSON on stdout: one object for each caption, the best first; with --captions the summary.",
)
def rank_command(clip_and_captions: tuple[str, ...], **options: Any) -> int:
    """Puts the parts together; see the help text."""
    if check_mode(clip_and_captions, options):
        return _rank_file(options)
    return _rank_line(clip_and_captions, options)


def _rank_line(words: tuple[str, ...], options: dict[str, Any]) -> int:
    from batch.score.direct import exit_code, key_of, ranks_json, score_asked, show_ranks
    from scoring.ranking import rank

    asked = asked_on_the_line("rank", words, options)
    names = names_of(options, DEFAULT_WITHOUT_CLIP if asked.clip is None else DEFAULT)
    evaluator = make_evaluator(names, options_of(options), say)
    try:
        key = key_of(evaluator.identities, options["by"])  # before a clip is looked at
        scored = score_asked(asked, evaluator, say)
    finally:
        evaluator.close()
    places = rank(scored, key)
    if options["as_json"]:
        answer(ranks_json(asked, places, evaluator.identities))
    else:
        show_ranks(places, evaluator.identities)
    return exit_code(scored)


def _rank_file(options: dict[str, Any]) -> int:
    from batch.caption.run import Talk
    from batch.cli import EXIT_INTERRUPTED
    from batch.score.direct import key_of
    from batch.score.flow import batch_clips_for
    from batch.score.jobs import ScoreSettings, beam_rows
    from batch.score.ranked import Ranking
    from batch.score.run import RANK_STAGE, ScoreOptions, ScoreRun, check_out, default_out
    from batch.score.tables import format_of, read_rows
    from batch.score.views import WholeOutput, form_for

    captions: Path = options["captions"]
    format_of(captions)
    out: Path = options["out"] or default_out(captions, "ranked")
    check_out(out, captions)
    form = form_for(out, captions)
    running = options_of(options)
    evaluator = make_evaluator(names_of(options, DEFAULT), running, say)
    settings = ScoreSettings(evaluator.identities, options["text_column"], options["path_column"], reuse=True)
    ranking = Ranking(settings, key_of(evaluator.identities, options["by"]), options["keep"])
    try:
        run = ScoreRun(
            settings,
            ScoreOptions(
                captions,
                options["root"] or captions.parent,
                out,
                lambda path: WholeOutput(path, form, ranking.arrange),
                options["fresh"],
                options["retry_failed"],
                is_quiet=True,
                completes=False,
                stage=RANK_STAGE,
                batch_clips=batch_clips_for(settings.names, running),
            ),
            evaluator,
            Talk(answer, say),
            expand=(lambda row: beam_rows(row, settings)) if options["beams"] else None,
            admitted=ranking.want,
        )
        code = run.execute(read_rows(captions))
        if code == EXIT_INTERRUPTED:
            say(f"ranks are written when all rows are scored; {out} was not touched")
            return code
        _tell(out, run, ranking, options["as_json"])
        return code
    finally:
        ranking.close()
        evaluator.close()


def _tell(out: Path, run: Any, ranking: Any, as_json: bool) -> None:
    from batch.caption.run import shown
    from batch.score.report import report_table
    from batch.score.show import console

    told = ranking.tally.to_json()
    if as_json:
        answer(
            json.dumps({"out": str(out), **run.tally.to_json(), **told, "evaluators": run.report.to_json()})
        )
        return
    margin = told["mean_margin"]
    lines = [
        *run.tally.lines(),
        f"{told['candidates']} candidates of {told['clips']} clips; rows written: {told['written']}"
        + (f", {told['left_out']} left out" if told["left_out"] else ""),
    ]
    if margin is not None:
        lines.append(f"the best is ahead of the second by {margin:.3g} on average")
    answer("\n".join([shown(str(out)), *lines, ""]))
    console().print(report_table(run.report))
