"""What a text mentions, and what it holds letter for letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprompter.wording import find_mentions, holds_locked, inflections, mentions
from vidprompter.wording.lemmas import lemma_mentions

SAID = [
    ("She ran home.", "run", "ran"),
    ("The DOGS' tails", "dog", "DOGS"),
    ("A blue-eyed girl.", "blue eyes", "blue-eyed"),
    ("A blue-eyed girl.", "blue", "blue"),
    ("Her hair is a deep red.", "red hair", "hair is a deep red"),
    ("Long red, curly hair.", "red hair", "red, curly hair"),
    ("She wears sun glasses.", "sunglasses", "sun glasses"),
    ("Sunglasses glint.", "sun glasses", "Sunglasses"),
    ("Greyish walls", "gray", "Greyish"),
    ("a café", "cafes", "café"),
    ("Women walk.", "woman", "Women"),
    ("T-shirts hang", "t-shirt", "T-shirts"),
    ("一把红色的伞", "红色", "红色"),
    ("the house\u2019s roof", "houses", "house\u2019s"),
    ("the king of the hill", "hill king", "king of the hill"),
]
UNSAID = [
    ("The start of the art.", "tar"),
    ("He reduced the speed.", "red"),
    ("A flower grows.", "flow"),
    ("Her hair shines. A red car stops.", "red hair"),
    ("A man with a very big and quite old dog", "old man"),
    ("The sunlight falls", "light"),
    ("", "red"),
]


@pytest.mark.parametrize(("text", "avoided", "said"), SAID)
def test_mentions_are_found(text: str, avoided: str, said: str) -> None:
    assert mentions(text, [avoided]) == [said]


@pytest.mark.parametrize(("text", "avoided"), UNSAID)
def test_other_words_are_no_mentions(text: str, avoided: str) -> None:
    assert mentions(text, [avoided]) == []


@given(st.sampled_from(["run", "dog", "knife", "gray", "happy", "carry", "woman", "travel"]), st.data())
def test_every_form_in_any_case_is_a_mention(word: str, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(sorted(inflections(word))))
    said = data.draw(st.sampled_from([form, form.upper(), form.capitalize(), form + "'s", f"low-{form}"]))
    (found, *_) = find_mentions(f"A text with {said} in it.", [word])
    assert found.avoided == word


@given(st.text(max_size=80), st.lists(st.text(min_size=1, max_size=12), max_size=4))
def test_places_are_places_of_the_text(text: str, avoid: list[str]) -> None:
    for found in find_mentions(text, avoid):
        assert text[found.start : found.end] == found.said


def test_phrases_of_many_words_do_not_take_long() -> None:
    phrase = "one two three four five six seven eight nine ten"
    assert mentions("one two three " * 400, [phrase]) == []


@pytest.mark.parametrize(
    ("text", "phrase", "holds"),
    [
        ("We start.", "art", False),
        ("We see art.", "art", True),
        ("A red umbrella.", "a red umbrella", False),
        ('A sign "OPEN".', '"OPEN"', True),
        ("It is 8k.", "8k", True),
        ("It is 18k.", "8k", False),
        ("一把红色的伞", "红色", True),
        ("Look: c++ code", "c++", True),
    ],
)
def test_locked_is_letter_for_letter(text: str, phrase: str, holds: bool) -> None:
    assert holds_locked(text, phrase) is holds


@given(
    st.text(min_size=1).filter(str.strip),
    st.sampled_from(["", " ", ". ", ' "']),
    st.sampled_from(["", " ", "!"]),
)
def test_a_phrase_is_held_where_it_stands_alone(phrase: str, before: str, after: str) -> None:
    assert holds_locked(before + phrase + after, phrase)


def test_lemmas_are_a_second_opinion() -> None:
    assert lemma_mentions("The geese flew by.", ["fly", "goose"]) == ["geese", "flew"]
    assert lemma_mentions("The sky is clear.", ["fly", "red hair"]) == []
