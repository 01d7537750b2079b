"""Writes docs/cli.md from the live commands; `--check` only says whether the file is up to date.

Run by `make docs`. tests/test_docs.py fails when the file is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

PAGE = Path(__file__).with_name("cli.md")
HEAD = """# The command line

This page is written by `make docs` from the commands themselves. stdout is the answer and stderr is talk,
so pipes are safe. Exit codes: 0 all good, 1 some items failed, 2 wrong usage, 130 interrupted (a run resumes
when the same command is given again).
"""
WIDTH = 100


def main(arguments: list[str]) -> int:
    """0 when the page is written or up to date, 1 when `--check` finds it stale."""
    page = render()
    if "--check" in arguments:
        fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page
        print(f"{PAGE.name} is {'up to date' if fresh else 'stale; run: make docs'}")
        return 0 if fresh else 1
    PAGE.write_text(page, encoding="utf-8")
    print(f"wrote {PAGE.name}")
    return 0


def render() -> str:
    """The whole page: one section with the help text for each command, groups before their members."""
    from batch.cli import cli

    sections = [HEAD]
    for name, help_text in helps(cli, open_context(cli, "vidprompter", None)):
        sections.append(f"## `{name}`\n\n```text\n{help_text}\n```\n")
    return "\n".join(sections)


def helps(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """(full name, help text) of a command and of everything below it."""
    lines = command.get_help(context).rstrip().splitlines()
    yield context.command_path, "\n".join(line.rstrip() for line in lines)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from helps(below, open_context(below, name, context))


def open_context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    """The context that the command line would make, at a fixed width."""
    settings = {**command.context_settings, "terminal_width": WIDTH}
    return click.Context(command, info_name=name, parent=parent, **settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
