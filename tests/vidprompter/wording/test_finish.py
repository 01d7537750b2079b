"""Texts finished: avoided words out, locked phrases in, prefix, length; verified whatever comes in."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidprompter.errors import WordingLost
from vidprompter.targets import fits
from vidprompter.tasks import Wording
from vidprompter.wording import holds_locked, mentions
from vidprompter.wording.finish import faults, finish_text, with_prefix
from vidprompter.wording.grammar import framed, is_sentence
from vidprompter.wording.kinds import kind_of
from vidprompter.wording.reword import idea_without, without_avoided
from vidprompter.wording.sentences import split_sentences

TEXT = (
    "A young woman with red hair stands in a small kitchen, looking at the camera. She wears a blue dress and holds a "
    "cup of coffee. A lamp glows on the shelf behind her. Soft light falls through the window, creating a warm mood. "
    "The camera stays static, keeping the woman in frame. In the background, shelves with jars line the walls."
)
KINDS = {
    "a red umbrella": "things",
    "red umbrella": "a_thing",
    "two dogs": "things",
    "steampunk zeppelin": "the_thing",
    "walking slowly": "doing",
    "covered in snow": "done",
    "the camera pans left": "clause",
    "The camera pans left": "sentence",
    "zooms in slowly": "camera_does",
    "walks slowly": "does",
    "cinematic lighting": "style",
    "in the style of 1970s film": "filmed",
    "shot on 35mm film": "is_filmed",
    "in the rain at night": "place",
    "ohwx man": "trigger",
    "Wes Anderson": "name",
    "moody and dark": "quality",
    "very gently": "manner",
    "masterpiece, best quality, 8k": "tags",
    '"OPEN 24 HOURS"': "quoted",
    "un parapluie rouge": "other",
    "красный зонт": "other",
    "golden hour": "hour",
    "8k": "format",
    "no people": "none",
    "handheld camera": "bare_gear",
    "close-up of hands": "bare_genre",
    "the crowd cheers": "clause",
    "the old train stations": "things",
}


@pytest.mark.parametrize(("phrase", "kind"), KINDS.items())
def test_every_kind_of_phrase_gets_a_sentence(phrase: str, kind: str) -> None:
    assert kind_of(phrase) == kind
    for seed in range(4):
        done = finish_text(TEXT, Wording((phrase,)), rng=Random(seed))
        assert done.flags == ("added:locked",)
        added = done.text.removeprefix(TEXT).strip()
        assert holds_locked(added, phrase) and added[-1] in '."'
        assert finish_text(done.text, Wording((phrase,)), rng=Random(seed + 1)).text == done.text


def test_things_are_said_together_but_not_where_they_would_say_what_is_avoided() -> None:
    together = finish_text(TEXT, Wording(("a cat", "a dog", "red car")), rng=Random(0)).text
    assert "a cat, a dog and a red car" in together
    apart = finish_text(
        "A boy runs off.", Wording(("a red cup", "long hair"), ("red hair",)), rng=Random(0)
    ).text
    assert "cup and" not in apart and holds_locked(apart, "long hair")


def test_other_capitals_are_written_as_they_were_given() -> None:
    done = finish_text(
        "A Red-Umbrella stands there. A cat sleeps.", Wording(("red umbrella",)), rng=Random(0)
    )
    assert done.text.startswith("A red umbrella stands there.") and "restored:locked" in done.flags
    done = finish_text("Snow falls. A red umbrella is open.", Wording(("a red umbrella",)), rng=Random(0))
    assert "Here, a red umbrella is open." in done.text


def test_a_phrase_in_a_fragment_gets_a_frame() -> None:
    text = "A paper boat floating by in the rain. The water is calm."
    done = finish_text(text, Wording(("in the rain",)), rng=Random(0))
    assert done.text.startswith("The clip shows a paper boat floating by in the rain.")
    assert framed("A red umbrella leans against the wall.", lambda sentence: False) is None
    assert not is_sentence("A paper boat floating by.") and is_sentence("The boat floats by.")


def test_avoided_sentences_go_and_the_first_is_reworded() -> None:
    long = f"{TEXT} The floor is made of old stone tiles, some of which are cracked."
    done = finish_text(long, Wording((), ("red hair", "coffee")), rng=Random(0))
    assert done.text.startswith(
        "A young woman stands in a small kitchen, looking at the camera. A lamp glows"
    )
    assert set(done.flags) == {"reworded:avoided", "dropped:avoided"}


def test_where_little_is_left_all_are_reworded() -> None:
    done = finish_text(TEXT, Wording((), ("red hair", "coffee")), rng=Random(0))
    assert "She wears a blue dress. A lamp glows" in done.text and done.flags == ("reworded:avoided",)


@pytest.mark.parametrize(
    ("sentence", "avoid", "left"),
    [
        ("A woman with red hair walks by.", "red hair", "A woman walks by."),
        ("An orange cat sits on a couch.", "orange", "A cat sits on a couch."),
        (
            "The woman, wearing a blue dress, smiles at the camera.",
            "dress",
            "The woman smiles at the camera.",
        ),
        ("The lighting is soft and warm.", "warm", "The lighting is soft."),
        ("The blue-eyed girl laughs out loud.", "blue", "The girl laughs out loud."),
        ("The wolf waits near the river.", "wolf", "The animal waits near the river."),
        ("Her hair is red.", "red", None),
        ("The camera pans left.", "camera", None),
    ],
)
def test_limbs_are_cut_off(sentence: str, avoid: str, left: str | None) -> None:
    assert without_avoided(sentence, [avoid]) == left


@pytest.mark.parametrize(
    ("idea", "avoid", "left"),
    [
        ("a woman with red hair in a park", ["red hair"], "a woman in a park"),
        ("a wolf walking through fresh snow", ["wolf"], "an animal walking through fresh snow"),
        ("two dogs playing", ["dog"], "two animals playing"),
        ("snow", ["snow"], None),
        ("running", ["run"], None),
        ("a woman with long blonde hair drinking coffee", ["blonde", "hair"], "a woman drinking coffee"),
        ("a red sports car drifting", ["red", "car"], "a sports vehicle drifting"),
        ("a cat", ["dog"], "a cat"),
    ],
)
def test_ideas_lose_what_is_avoided(idea: str, avoid: list[str], left: str | None) -> None:
    assert idea_without(idea, avoid) == left


def test_nothing_left_is_an_error_that_names_the_words() -> None:
    with pytest.raises(WordingLost, match="'snow'"):
        finish_text("Snow falls.", Wording((), ("snow",)), rng=Random(0))
    with pytest.raises(WordingLost, match="'The camera pans left'"):
        finish_text(TEXT, Wording(("The camera pans left",), ("camera",)), rng=Random(0))


@pytest.mark.parametrize(
    ("prefix", "start"),
    [("ohwx man", "ohwx man, A young"), ("TOK.", "TOK. A young"), ("<lora>", "<lora>, A young")],
)
def test_the_prefix_is_put_in_front_once(prefix: str, start: str) -> None:
    done = finish_text(TEXT, Wording(prefix=prefix), rng=Random(0))
    assert done.text == with_prefix(TEXT, prefix) and done.text.startswith(start)
    assert finish_text(done.text, Wording(prefix=prefix), rng=Random(0)).text == done.text


def test_a_long_text_fits_its_target_with_prefix_camera_and_phrase() -> None:
    wording = Wording(("a red umbrella",), (), "ohwx", "ltx")
    camera = "The camera stays static, keeping the woman in frame."
    more = " ".join(f"A shelf with {i} old jars and plates stands there." for i in range(20))
    done = finish_text(f"{TEXT} {more}", wording, rng=Random(0), protect=[camera])
    assert fits("ltx", done.text) and camera in done.text and "a red umbrella" in done.text
    assert done.text.startswith("ohwx, A young woman") and faults(done.text, wording) == []
    too_much = Wording(
        tuple(f"a rather long locked phrase, the {i}th of its kind" for i in range(20)), target="ltx"
    )
    with pytest.raises(WordingLost, match="lock less"):
        finish_text(TEXT, too_much, rng=Random(0))


def test_other_languages_get_a_sentence_of_their_own() -> None:
    done = finish_text(
        "Eine Katze schläft. Der Hund bellt.", Wording(("ein Hut",), ("hund",), language="de"), rng=Random(0)
    )
    assert done.text == "Eine Katze schläft. Zum Bild passen auch diese Worte: „ein Hut“."


def test_sentences_do_not_end_inside_a_phrase_or_at_a_title() -> None:
    text = 'Dr. Who waits. He says so. It is by J. Smith. Shot. On film. "Go." Then he left.'
    parts = split_sentences(text, ("Shot. On film",))
    assert "".join(parts) == text
    assert [part.strip() for part in parts] == [
        "Dr. Who waits.", "He says so.", "It is by J. Smith.", "Shot. On film.", '"Go."', "Then he left."
    ]  # fmt: skip


LOCKED = (
    (Path(__file__).parents[3] / "benchmarks/data/locked_phrases.txt")
    .read_text(encoding="utf-8")
    .split("\n")[:-1]
)
PARTS = split_sentences(TEXT)
AVOID = [
    "coffee",
    "light",
    "woman",
    "red hair",
    "wear",
    "shelf",
    "warm",
    "blue",
    "camera",
    "show",
    "clip",
    "frame",
]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=6, unique=True),
    st.lists(st.sampled_from(LOCKED), max_size=3, unique=True),
    st.lists(st.sampled_from(AVOID), max_size=4, unique=True),
    st.sampled_from(["", "tok", "TOK."]),
    st.sampled_from([None, "ltx"]),
    st.integers(0, 3),
)
def test_what_comes_out_keeps_its_wording(
    parts: list[str], locked: list[str], avoid: list[str], prefix: str, target: str | None, seed: int
) -> None:
    avoid = [word for word in avoid if not any(mentions(phrase, [word]) for phrase in locked)]
    wording = Wording(tuple(locked), tuple(avoid), prefix, target)
    try:
        done = finish_text("".join(parts), wording, rng=Random(seed))
    except WordingLost:
        return
    assert faults(done.text, wording) == []
    assert done.text.startswith(prefix) and done.text.strip() == done.text
    assert "  " not in done.text and " ." not in done.text and ".." not in done.text
