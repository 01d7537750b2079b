"""Fitting: what comes out fits, keeps what must stay, and is made of the text's own sentences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidprompter import targets
from vidprompter.errors import GenerationError, InputError
from vidprompter.targets.fit import sentence_spans

FIRST = "A woman in a green coat rides a bicycle through a flooded street."
DULL = "The overall scene evokes a serene and peaceful atmosphere, creating a timeless mood."
TELLING = "Pigeons scatter from a broken tram shelter while a dog with three legs watches from a doorway."
CAMERA = "The camera tracks beside her at wheel height, then tilts up to the balconies."

TEXTS = st.lists(
    st.sampled_from([FIRST, DULL, TELLING, CAMERA, "Rain falls!", "Is it night?"]), min_size=1, max_size=20
)


def sentences(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in sentence_spans(text)]


def test_what_fits_is_left_alone() -> None:
    assert targets.fit_text(f" {FIRST}  {DULL}", "wan") == (f" {FIRST}  {DULL}", ())


def test_the_least_telling_go_first() -> None:
    long = " ".join(
        [FIRST, DULL, TELLING, CAMERA, "A red kite hangs from a wire above rows of wet market stalls."] * 1
    )
    text = (
        f"{long} Two boys push a cart of oranges uphill, laughing, and one orange rolls away into the gutter."
    )
    text += " An old man in slippers sweeps water off his step with a broom, again and again."
    short, flags = targets.fit_text(text, "ltx")
    assert DULL not in short and short.startswith(FIRST)
    assert flags == (f"shortened:{len(sentences(text)) - len(sentences(short))}",)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.data())
def test_properties(parts: list[str], data: st.DataObject) -> None:
    text = " ".join(parts)
    keep = [data.draw(st.sampled_from([*parts, "broken tram shelter", "balconies. The", "not in it"]))]
    short, flags = targets.fit_text(text, "ltx", keep=keep)
    assert targets.fits("ltx", short)
    assert all(phrase in short for phrase in keep if phrase in text)
    left = iter(sentences(text))
    assert all(one in left for one in sentences(short))  # in their order, none changed
    gone = len(sentences(text)) - len(sentences(short))
    assert flags == ((f"shortened:{gone}",) if gone else ())
    assert short.startswith(parts[0]) or keep[0] not in parts[0]


def test_a_phrase_over_two_sentences_stays() -> None:
    text = f"{FIRST} {' '.join([TELLING] * 6)} Then a cat looks up. Nobody sees it."
    short, _ = targets.fit_text(text, "ltx", keep=["looks up. Nobody sees"])
    assert "Then a cat looks up. Nobody sees it." in short


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Dr. Ada Lovelace speaks. She smiles.", 2),
        ("A cat, a dog, e.g. a terrier, at f/2.8 play.", 1),
        ('"Stop!" he says. Then J. R. walks off...', 3),
        ("no end mark", 1),
        ("One.\n\nTwo!  Three?", 3),
        ("", 0),
    ],
)
def test_where_sentences_end(text: str, number: int) -> None:
    spans = sentence_spans(text)
    assert len(spans) == number
    assert "".join(text[start:end] for start, end in spans) == text


def test_one_long_sentence_loses_clauses_at_its_end() -> None:
    text = (
        "A dancer spins, "
        + ", ".join(f"lamp number {n} glows in a window of the hotel" for n in range(40))
        + "."
    )
    short, flags = targets.fit_text(text, "ltx")
    assert (
        targets.fits("ltx", short) and short.startswith("A dancer spins, lamp") and short.endswith("hotel.")
    )
    assert flags[0].startswith("clauses_cut:")


def test_what_must_stay_and_does_not_fit_is_an_error() -> None:
    phrase = "a very long phrase " * 60
    with pytest.raises(
        GenerationError, match=r"does not fit ltx: the phrases to keep need up to \d+ tokens.* reads 128"
    ):
        targets.fit_text(f"{FIRST} {phrase}.", "ltx", keep=[phrase.strip()])
    with pytest.raises(GenerationError, match="its first sentence needs up to"):
        targets.fit_text("word " * 300, "ltx")
    with pytest.raises(InputError, match="no target called"):
        targets.fit_text(FIRST, "nothing")
