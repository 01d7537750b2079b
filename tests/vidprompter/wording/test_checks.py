"""Usage errors come at once and name the value."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprompter.errors import InputError
from vidprompter.tasks import Wording
from vidprompter.wording import checked, instructions, language_name
from vidprompter.wording.checks import MAX_AVOID, MAX_LOCKED


@pytest.mark.parametrize(
    ("wording", "names"),
    [
        (Wording(("a red umbrella",), ("umbrellas",)), ["'a red umbrella'", "'umbrellas'"]),
        (Wording(("dogs running",), ("run",)), ["'dogs running'", "'run'", "'running'"]),
        (Wording(("red",), ("red",)), ["'red'"]),
        (Wording(("her hair is red",), ("red hair",)), ["'red hair'"]),
        (Wording(prefix="ohwx man", avoid=("men",)), ["prefix 'ohwx man'", "'men'"]),
        (Wording((" ",)), ["locked", "empty"]),
        (Wording(avoid=("",)), ["avoided", "empty"]),
        (Wording(("a\nb",)), ["line break"]),
        (Wording(("a\tb",)), ["U+0009"]),
        (Wording(prefix="a\x00"), ["U+0000"]),
        (Wording(("\udcff",)), ["U+DCFF"]),
        (Wording(("x" * 300,)), ["300", "200"]),
        (Wording(("...",)), ["no letter"]),
        (Wording(avoid=("the",)), ["'the'"]),
        (Wording(tuple(f"phrase {i}" for i in range(MAX_LOCKED + 1))), [str(MAX_LOCKED)]),
        (Wording(avoid=tuple(f"word{i}" for i in range(MAX_AVOID + 1))), [str(MAX_AVOID)]),
        (Wording(language="german"), ["'german'", "'de'"]),
        (Wording(language="xx"), ["'xx'", "ISO 639-1"]),
        (Wording(target="nosuch"), ["nosuch"]),
    ],
)
def test_what_cannot_be_kept_is_refused_in_one_line(wording: Wording, names: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        checked(wording)
    assert "\n" not in str(caught.value)
    assert [name for name in names if name not in str(caught.value)] == []


def test_spaces_and_repeats_are_put_right() -> None:
    given_wording = Wording(("a  red umbrella ", "a red umbrella"), (" snow", "snow"), " tok ", "ltx", "DE")
    assert checked(given_wording) == Wording(("a red umbrella",), ("snow",), "tok", "ltx", "de")


@pytest.mark.parametrize(
    "wording",
    [
        Wording(),
        Wording(("umbrella",), ("red umbrella",)),
        Wording(("start",), ("art",)),
        Wording(("伞",), ("红",)),
    ],
)
def test_what_can_be_kept_passes(wording: Wording) -> None:
    assert checked(wording) == wording


@given(
    st.lists(st.text(max_size=30), max_size=3),
    st.lists(st.text(max_size=30), max_size=3),
    st.text(max_size=30),
)
def test_any_text_is_taken_or_refused(locked: list[str], avoid: list[str], prefix: str) -> None:
    try:
        once = checked(Wording(tuple(locked), tuple(avoid), prefix))
    except InputError:
        return
    assert checked(once) == once


def test_neither_torch_nor_spacy_is_needed_for_a_usage_error() -> None:
    code = (
        "import sys; from vidprompter.tasks import Wording; from vidprompter.wording import checked\n"
        "try: checked(Wording(('a dog',), ('dogs',), '', 'ltx'))\n"
        "except ValueError if False else Exception as e: print(type(e).__name__)\n"
        "print([m for m in ('torch', 'spacy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["InputError", "[]"]


def test_instructions_say_what_was_asked_and_nothing_else() -> None:
    assert instructions(Wording()) == ""
    assert instructions(Wording(prefix="tok")) == ""
    text = instructions(
        Wording(("a red umbrella",), ("snow",), language="de", target="ltx"), short="snow falls"
    )
    for part in ('"a red umbrella"', '"snow"', "German", "words", "short prompt"):
        assert part in text
    assert language_name("ZH") == "Chinese"
