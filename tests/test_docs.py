"""What the documents show exists: commands, options, make targets, files, names. docs/cli.md is not stale."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from batch.cli import cli
from tests.import_rules import MAY_USE

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    page
    for pattern in ("*.md", "docs/*.md", "examples/*.md", "benchmarks/*.md")
    for page in sorted(ROOT.glob(pattern))
    if page.name != "cli.md"
]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def shell_commands(text: str) -> Iterator[list[str]]:
    """The single commands of a shell block: pipes and chains taken apart, comments dropped."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("|&;<>"):
                if words:
                    yield words
                words = []
            else:
                words.append(word)


def complaint(words: list[str]) -> str | None:
    """What is wrong with a documented command; None when all of it exists."""
    program = Path(words[0]).name
    if program == "vidprompter":
        return wrong_usage(cli, words[1:])
    if program == "make":
        targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        return next(
            (f"no make target {word!r}" for word in words[1:] if word.isidentifier() and word not in targets),
            None,
        )
    if program in ("python", "python3", "pytest"):
        return next(
            (
                f"no file {word!r}"
                for word in words[1:]
                if word.endswith(".py") and not (ROOT / word).exists()
            ),
            None,
        )
    return None


def wrong_usage(command: click.Command, words: list[str]) -> str | None:
    """Walks the live command tree: an unknown subcommand, option or choice is named."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and word != "-":
            name, has_value, value = word.partition("=")
            if name in ("--help", "-h"):
                continue
            # `params` and not `get_params`: the latter would keep a help option made without a parent
            option = next((p for p in command.params if name in p.opts or name in p.secondary_opts), None)
            if not isinstance(option, click.Option):
                return f"{command.name} has no option {name}"
            if not (option.is_flag or option.count or has_value):
                value = rest.pop(0) if rest else ""
            if isinstance(option.type, click.Choice) and value not in option.type.choices:
                return f"{command.name} {name} cannot be {value!r}"
        elif isinstance(command, click.Group):
            below = command.get_command(click.Context(command), word)
            if below is None:
                return f"{command.name} has no command {word!r}"
            command = below
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_in_the_documents_exist(page: Path) -> None:
    wrong = [
        f"{' '.join(words)}: {problem}"
        for block in blocks(page, "bash")
        for words in shell_commands(block)
        if (problem := complaint(words))
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_names_in_the_documents_exist(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MAY_USE:
                module = import_module(node.module or "")
                assert [a.name for a in node.names if not hasattr(module, a.name)] == [], page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("vidprompter no-such-command", True),
        ("vidprompter expand --no-such-option x", True),
        ("vidprompter models pull builtin && vidprompter models nothing", True),
        ("make nothing", True),
        ("python examples/nothing.py", True),
        ("ls clips | vidprompter caption - --no-such-option", True),
        ('vidprompter expand "a cat; on a roof"  # four of them', False),
        ("make demo PYTHON=python3.12 && ls", False),
    ],
)
def test_the_check_of_commands(line: str, wrong: bool) -> None:
    assert any(complaint(words) for words in shell_commands(line)) is wrong


def test_the_command_line_page_is_fresh() -> None:
    check = [sys.executable, str(ROOT / "docs" / "generate_cli.py"), "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_is_documented() -> None:
    import vidprompter

    page = (ROOT / "docs" / "python_api.md").read_text(encoding="utf-8")
    assert [name for name in vidprompter.__all__ if f"`{name}`" not in page] == []


def test_every_output_field_is_documented() -> None:
    from batch.caption.rows import CaptionRow
    from batch.expand import ExpandRow
    from batch.score.compare import EvalCell
    from batch.score.fields import BeamColumns, BeamScore, RankAnswer, RankColumns, ScoreAnswer, ScoredColumns
    from vidprompter.sheet.types import CameraMotion, ColorFact, ObjectFact, SceneSheet, Shot

    page = (ROOT / "docs" / "output_fields.md").read_text(encoding="utf-8")
    shapes = (CaptionRow, ExpandRow, SceneSheet, Shot, CameraMotion, ColorFact, ObjectFact)
    shapes += (ScoreAnswer, RankAnswer, ScoredColumns, BeamColumns, BeamScore, RankColumns, EvalCell)
    fields = {name for shape in shapes for name in shape.__annotations__}
    assert sorted(name for name in fields if f"`{name}`" not in page) == []
