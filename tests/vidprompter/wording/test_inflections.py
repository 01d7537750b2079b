"""Forms of words: the table, the rules, both ways; held against spaCy's own exceptions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprompter.wording.inflections import _tables, inflections

WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=12)

FORMS = {
    "run": "runs ran running",
    "dog": "dogs",
    "hope": "hopes hoped hoping",
    "hop": "hops hopped hopping",
    "visit": "visited visiting",
    "travel": "traveled travelled traveling travelling",
    "child": "children",
    "woman": "women",
    "fireman": "firemen",
    "bookshelf": "bookshelves",
    "knife": "knives",
    "city": "cities",
    "box": "boxes",
    "glass": "glasses",
    "tomato": "tomatoes",
    "movie": "movies",
    "red": "redder reddest reds reddish",
    "happy": "happier happiest happily",
    "large": "larger largest",
    "gentle": "gently gentler",
    "dramatic": "dramatically",
    "slow": "slowly slower",
    "gray": "grey grayish greyish",
    "color": "colour colored coloured colors colouring colorful",
    "theater": "theatre theatres",
    "realize": "realise realised realizing",
    "eat": "ate eaten eating",
    "lie": "lay lain lying lies",
    "ski": "skis skied skiing",
    "panic": "panicked panicking",
    "overrun": "overran",
    "cactus": "cacti cactuses",
    "snow": "snowy snowing",
    "hair": "haired",
    "eye": "eyed eyes",
}
UNRELATED = [
    ("flow", "flower"),
    ("flower", "flow"),
    ("news", "new"),
    ("hop", "hope"),
    ("hoping", "hop"),
    ("star", "staring"),
    ("car", "care"),
    ("evening", "even"),
    ("string", "str"),
    ("seed", "see"),
    ("leaves", "left"),
    ("art", "start"),
    ("bus", "bu"),
    ("forest", "fore"),
    ("family", "fame"),
    ("red", "reduce"),
    ("light", "lit up"),
]


@pytest.mark.parametrize(("base", "forms"), FORMS.items())
def test_forms_are_found_from_the_base(base: str, forms: str) -> None:
    wanted = set(forms.split()) - {"colorful"}
    assert wanted <= inflections(base)


@pytest.mark.parametrize(("base", "forms"), FORMS.items())
def test_the_base_is_found_from_its_forms(base: str, forms: str) -> None:
    derived = {"colorful", "haired", "snowy"}
    assert [form for form in forms.split() if form not in derived and base not in inflections(form)] == []


@pytest.mark.parametrize(("word", "other"), UNRELATED)
def test_other_words_are_no_forms(word: str, other: str) -> None:
    assert other not in inflections(word)


@given(WORDS)
def test_a_word_is_among_its_own_forms_whatever_its_case(word: str) -> None:
    assert word in inflections(word)
    assert inflections(word.upper()) == inflections(word) == inflections(word + "'s")


@given(WORDS)
def test_forms_are_few_and_no_blank(word: str) -> None:
    forms = inflections(word)
    assert len(forms) < 80
    assert all(form and form == form.strip().lower() for form in forms)


@given(st.text(max_size=20))
def test_any_text_is_taken(text: str) -> None:
    inflections(text)


def test_every_entry_of_the_table_works_both_ways() -> None:
    tables = _tables()
    for base, forms in tables.forms.items():
        assert forms <= inflections(base), base
        missing = {form for form in forms if base not in inflections(form)}
        assert not missing - {"left"}, (base, missing)


def test_spacys_own_exceptions_are_mostly_known() -> None:
    from vidprompter.facts.text_facts import tagger

    table = tagger().get_pipe("lemmatizer").lookups.get_table("lemma_exc")
    pairs = [
        (form, base)
        for form, bases in table["verb"].items()
        for base in bases
        if form.isalpha() and base.isalpha() and len(base) > 2
    ]
    missed = [pair for pair in pairs if pair[0] not in inflections(pair[1])]
    # What is left is archaic: "begirt", "bespake", "clept".
    assert len(missed) < 0.07 * len(pairs)
