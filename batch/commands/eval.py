"""`vidprompter eval`: models and judges, compared."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from batch.commands.score import answer, say
from batch.commands.scoring import DEFAULT, DEFAULT_WITHOUT_CLIP, evaluator_options, names_of, options_of
from scoring.names import make_evaluator

MEMBERS = {
    "captions": ("batch.commands.eval:captions_command", "Compare models by their captions."),
    "judge": ("batch.commands.eval_judge:judge_command", "Say how far a judge can be trusted."),
}


class LazyMembers(click.Group):
    """A group whose members are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the table, in its order."""
        return list(MEMBERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The imported member, None for an unknown name."""
        if cmd_name not in MEMBERS:
            return None
        module, _, name = MEMBERS[cmd_name][0].partition(":")
        command = globals()[name] if module == __name__ else getattr(import_module(module), name)
        assert isinstance(command, click.Command), cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table into the help page."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in MEMBERS.items()])


@click.group("eval", cls=LazyMembers, short_help="Compare models, and judges.")
def eval_group() -> None:
    """Compare models by their captions, and judges by how well they judge."""


@click.command(
    "captions",
    short_help="Compare models by their captions.",
    help="""Compare models by the captions that they wrote: the columns of Table 1 of the VidPrompter paper.

    FOLDER holds one file of captions for each model, as `caption` and `expand --json` write them; a model's
    name is its file's. Tasks 1 and 2 (from clips) are scored by the evaluators of clips, task 3 (from a short
    prompt) by the judge, all of them by the rubric where that is named. Scores of the same evaluators that
    the rows have (see `score --captions`) are not computed again.

    Models are compared on the clips that all of them have. Beside each mean stands its 95 % interval, by
    bootstrap over clips; a star marks what is worse than the best of its column by more than chance.

    \b
      vidprompter eval captions outputs/
      vidprompter eval captions outputs/ --evaluator paper --evaluator judge --judge MODEL --out report/
      vidprompter eval captions outputs/ --root clips/ --json
    """,
)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write table.md, .csv and .json, plot.png and .svg, and the scores, from which it goes on.",
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where relative paths of clips start.  [default: FOLDER]",
)
@click.option(
    "--text-column", default="prompt", show_default=True, metavar="NAME", help="Which column is scored."
)
@click.option(
    "--path-column", default="path", show_default=True, metavar="NAME", help="Which column names the clip."
)
@click.option("--resamples", type=click.IntRange(100, 1_000_000), default=10_000, show_default=True)
@click.option("--retry-failed", is_flag=True, help="Try again what failed in an earlier run with this --out.")
@evaluator_options("builtin, rubric; with --judge the judge too")
@click.option("--json", "as_json", is_flag=True, help="The comparison as JSON on stdout.")
def captions_command(folder: Path, **options: Any) -> int:
    """Puts the parts together; see the help text."""
    from batch.caption.run import Talk
    from batch.score.evaluate import EvalOptions, Evaluation, prepared_folder, write_tables

    out: Path | None = options["out"]
    asked = EvalOptions(
        folder,
        eval_names(options),
        options_of(options),
        out,
        options["root"],
        options["text_column"],
        options["path_column"],
        options["resamples"],
        options["seed"],
        options["retry_failed"],
    )
    with prepared_folder(out, folder):
        evaluation = Evaluation(asked, make_evaluator, Talk(answer, say))
        code = evaluation.execute()
        comparison = evaluation.comparison
        if comparison is None:
            if out is None:
                say("interrupted; with --out DIR what was scored would be kept")
            return code
        if out is not None:
            for path in write_tables(comparison, out):
                say(f"wrote {path}")
    if options["as_json"]:
        answer(json.dumps(comparison.to_json(), ensure_ascii=False, indent=1))
        return code
    from batch.score.eval_tables import LEGEND, screen_table
    from batch.score.show import console

    console().print(screen_table(comparison))
    answer("\n".join(["", LEGEND, *comparison.notes]))
    return code


def eval_names(options: dict[str, Any]) -> tuple[str, ...]:
    """The evaluators that were asked for; by default those that are there without weights of others.

    Raises:
        InputError: see `names_of`.
    """
    if options["evaluators"]:
        return names_of(options, ())
    judge = ("judge",) if options["judge"] is not None else ()
    return (*DEFAULT, *DEFAULT_WITHOUT_CLIP, *judge)
