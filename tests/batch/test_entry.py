"""Entries survive the ledger."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch.inputs.entry import ClipEntry, Member
from vidprompter import errors
from vidprompter.errors import InputError, VidPrompterError

# What the operating system gives for any bytes that are a file name.
names = st.binary(max_size=30).map(os.fsdecode)
texts = st.text(max_size=30)
seconds = st.none() | st.floats(0, 1e9)
members = st.none() | st.builds(Member, names, names, st.integers(0, 2**63), st.integers(0, 2**63))
entries = st.builds(
    ClipEntry,
    path=names,
    root=names,
    short=st.none() | texts,
    start=seconds,
    end=seconds,
    listed=st.booleans(),
    member=members,
)


@given(entries)
@example(
    ClipEntry(os.fsdecode(b"\xff\xe9 \n\"'\\.mp4"), "/", "", 0.0, 0.1, True, None, Member("a", "b", 0, 0))
)
def test_an_entry_comes_back_as_it_was(entry: ClipEntry) -> None:
    text = entry.to_json()
    assert text.isascii() and "\n" not in text
    assert ClipEntry.from_json(text) == entry


@given(st.sampled_from(list(errors.__all__)), texts)
def test_a_problem_keeps_its_type_and_words(name: str, message: str) -> None:
    problem = getattr(errors, name)(message)
    entry = ClipEntry("a.mp4", "/", problem=problem)
    back = ClipEntry.from_json(entry.to_json())
    assert type(back.problem) is type(problem) and str(back.problem) == message
    assert replace(back, problem=None) == replace(entry, problem=None)


def test_a_problem_of_another_type_is_still_a_problem() -> None:
    class Odd(InputError):
        pass

    back = ClipEntry.from_json(ClipEntry("a.mp4", "/", problem=Odd("why")).to_json())
    assert type(back.problem) is VidPrompterError and str(back.problem) == "why"


def test_what_is_not_set_takes_no_room() -> None:
    assert ClipEntry("a.mp4", "/c").to_json() == '{"path":"a.mp4","root":"/c"}'


@pytest.mark.parametrize("text", ["", "[]", '{"path": "a"}', '{"path": "a", "root": "/", "what": 1}'])
def test_other_text_is_no_entry(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        ClipEntry.from_json(text)
