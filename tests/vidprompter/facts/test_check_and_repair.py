from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidprompter.facts.camera_text import camera_claims, camera_contradictions, sentences, shot_claims
from vidprompter.facts.check import check, repeated_ngram, weight
from vidprompter.facts.repair import mend
from vidprompter.sheet.lines import ObjectLine, SheetLines

HORSE = SheetLines(
    objects=(ObjectLine("horse", 1, "brown", "center", "moving left"), ObjectLine("fence", 2)),
    scene="field",
    camera="pan left",
    speed="slow",
    shot="wide shot",
    light="bright",
    temperature="neutral",
    contrast="medium",
    colors=("green", "brown"),
)
GOOD = (
    "A brown horse gallops across a wide green field, its mane streaming behind it in the wind. Two wooden fences "
    "run along the edge of the grass and lead the eye into the distance. Bright daylight falls on the horse, with "
    "natural tones and balanced contrast between the animal and the ground. The camera pans slowly to the left, "
    "following the horse, in a wide shot. The look of the field is naturalistic and calm from beginning to end."
)


def kinds(text: str, lines: SheetLines | None = HORSE, short: str | None = None) -> set[str]:
    return {p.kind for p in check(text, lines=lines, short=short)}


def test_a_true_prompt_is_clean() -> None:
    assert kinds(GOOD) == set()


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("pans slowly to the left", "pans slowly to the right", "camera"),
        ("The camera pans slowly to the left, following the horse, in a wide shot. ", "", "camera_missing"),
        ("wide shot", "close-up", "shot"),
        ("A brown horse", "A white horse", "color"),
        ("Two wooden fences run", "Five wooden fences run", "count"),
        ("Bright daylight falls", "Dark light falls", "light"),
        ("horse", "cow", "object_missing"),
        ("field", "house", "scene_missing"),
        ("in the wind", "as she laughs", "gender"),
        ("in the wind", "to the sound of music", "unseen"),
        ("in the wind", "beside a wolf", "invented"),
        ("Two wooden fences run", "A wooden fence runs", "count_missing"),
    ],
)
def test_each_false_or_missing_fact_is_named(old: str, new: str, kind: str) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
    assert kind in kinds(text)
    assert weight(check(text, lines=HORSE, short=None)) > 0


def test_loops_and_lengths_are_seen() -> None:
    assert repeated_ngram("the red car stops. " * 3) is not None
    assert repeated_ngram("The red car stops. The RED car stops!") is None
    assert {"repetition", "short"} <= kinds("A horse. A horse. A horse.")
    assert "long" in kinds(" ".join(f"word{i}" for i in range(221)))


def test_an_idea_needs_its_words_a_shot_and_a_style() -> None:
    text = "A dog runs. " * 2
    assert {"short_missing", "camera_missing", "style_missing"} <= kinds(text, None, "a cat on a roof")
    assert "short_missing" not in kinds("A cat sits on the roof. " + GOOD, None, "a cat on a roof")


FALSE_SENTENCES = (
    "The camera zooms in on the saddle.",
    "A static shot holds the frame.",
    "Dark light covers the stable.",
    "A close-up shows the eye.",
    "She rides it with a smile.",
    "A horse waits beside the gate.",
    "The horse is seen from afar.",
    "Grass bends under its hooves.",
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(FALSE_SENTENCES), min_size=1, max_size=6),
    st.sampled_from(["static", "pan left", "zoom out", "handheld", "unknown"]),
    st.booleans(),
    st.integers(0, 100),
)
def test_a_mended_prompt_states_the_measured_camera_and_no_other(
    parts: list[str], camera: str, finished: bool, seed: int
) -> None:
    from dataclasses import replace

    lines = replace(HORSE, camera=camera)
    mended = mend(" ".join(parts), lines=lines, short=None, finished=finished, rng=Random(seed))
    assert not camera_contradictions(mended.text, camera)
    if camera != "unknown":
        assert camera in camera_claims(mended.text)
    assert "horse" in mended.text.lower()
    assert len(sentences(mended.text)) >= 4
    # The first sentence stays for its subject, even with a wrong shot.
    assert shot_claims(mended.text.replace(parts[0], "")) <= {"wide shot"}


def test_repairs_are_flagged_and_a_clean_prompt_is_left_alone() -> None:
    rng = Random(0)
    assert mend(GOOD, lines=HORSE, short=None, finished=True, rng=rng).flags == ()
    assert mend(GOOD, lines=HORSE, short=None, finished=True, rng=rng).text == GOOD
    wrong = GOOD.replace("pans slowly to the left", "zooms in")
    flags = mend(wrong, lines=HORSE, short=None, finished=True, rng=rng).flags
    assert {"dropped:camera", "added:camera"} <= set(flags)
    cut = mend(GOOD + " The horse then begins to", lines=HORSE, short=None, finished=False, rng=rng)
    assert (cut.text, cut.flags) == (GOOD, ("cut:unfinished",))


def test_an_idea_without_camera_gets_one() -> None:
    text = "A cat sits on a red roof under a wide sky. It watches the birds on the wires. Its tail moves."
    mended = mend(text, lines=None, short="a cat on a roof", finished=True, rng=Random(1))
    assert "added:camera" in mended.flags
    assert len(sentences(mended.text)) >= 4


def test_an_idea_that_was_lost_opens_the_prompt() -> None:
    mended = mend(GOOD, lines=None, short="two robots playing chess in a park", finished=True, rng=Random(1))
    assert mended.text.startswith("Two robots playing chess in a park. A brown horse")
    assert "added:idea" in mended.flags


def test_a_stock_sentence_on_the_camera_gives_way_to_one_on_the_clip() -> None:
    text = GOOD.replace(
        "The camera pans slowly to the left, following the horse, in a wide shot.", "The camera pans left."
    )
    mended = mend(text, lines=HORSE, short=None, finished=True, rng=Random(2))
    assert "The camera pans left." not in mended.text
    assert camera_claims(mended.text) == {"pan left"}


def test_a_sentence_on_somebody_nobody_measured_goes() -> None:
    wrong = GOOD.replace("The look of", "A farmer and a dog wait at the gate. The look of")
    mended = mend(wrong, lines=HORSE, short=None, finished=True, rng=Random(0))
    assert (mended.text, mended.flags) == (GOOD, ("dropped:invented",))
    # Somebody named by the user is no invention.
    asked = mend(wrong, lines=HORSE, short="a farmer with a dog", finished=True, rng=Random(0))
    assert "farmer" in asked.text


def test_a_clip_without_any_known_thing_still_gets_a_whole_prompt() -> None:
    empty = SheetLines(camera="static", light="soft", temperature="neutral", colors=("gray",))
    mended = mend(
        "A group of people talk in a street.", lines=empty, short=None, finished=True, rng=Random(0)
    )
    assert "people" not in mended.text
    assert camera_claims(mended.text) == {"static"}
    assert len(sentences(mended.text)) >= 4
