"""The `vidprompter` command: a table of lazy subcommands, and the one place where errors become exits."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import click

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


class LazyCommand(NamedTuple):
    """Where a subcommand lives ("module:object") and its one line in `--help`."""

    where: str
    help: str


COMMANDS = {
    "caption": LazyCommand(
        "batch.commands.caption:caption_command", "Write a detailed prompt for each video."
    ),
    "expand": LazyCommand("batch.commands.expand:expand_command", "Turn short ideas into detailed prompts."),
    "sheet": LazyCommand("batch.commands.sheet:sheet_command", "Show what is measured in a clip."),
    "score": LazyCommand("batch.commands.score:score_command", "Say how well captions fit a clip."),
    "rank": LazyCommand(
        "batch.commands.rank:rank_command", "Put the captions of a clip in order, the best first."
    ),
    "eval": LazyCommand("batch.commands.eval:eval_group", "Compare models, and judges."),
    "merge": LazyCommand("batch.commands.merge:merge_command", "Join the outputs of --shard runs into one."),
    "runs": LazyCommand("batch.commands.runs:runs_group", "Look into the ledger of a run."),
    "models": LazyCommand("batch.commands.models:models_group", "List, fetch and find model weights."),
    "train": LazyCommand("batch.commands.train:train_group", "Train adapters of your own."),
    "doctor": LazyCommand("batch.commands.doctor:doctor_command", "Check this machine; say what is missing."),
}

START = """\
Start here:

\b
  vidprompter caption clips/ --out captions.jsonl    one prompt per video, resumable
  vidprompter expand "a cat on a roof" -n 4          four prompts from one idea
  vidprompter doctor                                 is this machine ready?
"""


class LazyGroup(click.Group):
    """A group whose subcommands are imported when they are called; help reads the table only."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the table, in its order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The imported subcommand, None for an unknown name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.where.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command), entry.where
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand and its arguments; a wrong word is answered with the near ones."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table into the help page."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.command(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`vidprompter COMMAND --help` tells more.",
    help=f"""Detailed prompts for text-to-video models: from clips, from short ideas, or from both.

{START}""",
)
@click.option("--version", is_flag=True, help="Show the version and exit.")
@click.pass_context
def cli(ctx: click.Context, version: bool) -> None:
    """The root of the command; its help text stands in the decorator."""
    if version:
        from vidprompter import __version__

        click.echo(f"vidprompter {__version__}")
    elif ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line; errors raised on purpose become one line on stderr."""
    from vidprompter.errors import InputError, VidPrompterError

    try:
        result = cli.main(list(arguments), prog_name="vidprompter", standalone_mode=False)
    except click.exceptions.Abort:
        _say("interrupted")
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except VidPrompterError as error:
        if _debugging():
            raise
        _say(f"error: {' '.join(str(error).split())}")
        return EXIT_USAGE if isinstance(error, InputError) else EXIT_FAILED
    except Exception as error:  # the outermost boundary: anything that comes here is a fault of ours
        if _debugging():
            raise
        _say(
            f"error: unexpected {type(error).__name__}: {' '.join(str(error).split())} "
            f"(a fault of VidPrompter; VIDPROMPTER_DEBUG=1 shows where)"
        )
        return EXIT_FAILED
    return result if isinstance(result, int) else 0


def _debugging() -> bool:
    return os.environ.get("VIDPROMPTER_DEBUG", "") not in ("", "0")


def _say(line: str) -> None:
    click.echo(f"vidprompter: {line}", err=True)
    sys.stderr.flush()
