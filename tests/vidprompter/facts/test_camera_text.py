from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprompter.facts.camera_text import (
    camera_claims,
    camera_contradictions,
    mentions_camera,
    sentences,
    shot_claims,
    states_camera,
)
from vidprompter.facts.phrases import (
    camera_sentence,
    focus_sentence,
    light_sentence,
    look_sentence,
    motion_sentence,
    opening_sentence,
    palette_sentence,
    style_sentence,
    subject_sentence,
)
from vidprompter.sheet.types import MOTIONS, SHOT_SIZES

KNOWN_MOTIONS = [*(m for m in MOTIONS if m != "unknown"), "moving", "cuts"]
KNOWN_SHOTS = [s for s in SHOT_SIZES if s != "unknown"]
SUBJECTS = ["the horse", "the people", "the scene", "the water bottles"]
PLACES = ["the road", "the scene", "the stone wall", "the horse"]


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("The camera pans slowly to the left across the field.", {"pan left"}),
        ("As the camera tilts up, the sky fills the frame.", {"tilt up"}),
        ("The camera zooms in on her face.", {"zoom in"}),
        ("The camera pulls back to reveal the valley.", {"zoom out"}),
        ("The shot is static.", {"static"}),
        ("The camera remains still.", {"static"}),
        ("Handheld footage follows the boy.", {"handheld"}),
        ("The camera follows the horse.", {"other"}),
        ("The camera pans.", {"pan"}),
        # A subject that moves or rests says nothing of the camera.
        ("A ball rolls over the floor.", set()),
        ("The dog sits still on the porch.", set()),
        ("A cook tilts the pan to the left.", set()),
        ("She turns left at the corner.", set()),
    ],
)
def test_claims_of_known_sentences(text: str, claims: set[str]) -> None:
    assert camera_claims(text) == claims


@given(
    st.integers(0, 10_000),
    st.sampled_from(KNOWN_MOTIONS),
    st.sampled_from(["slow", "steady", "fast"]),
    st.sampled_from([None, *KNOWN_SHOTS]),
    st.sampled_from(SUBJECTS),
    st.sampled_from(PLACES),
)
def test_our_own_camera_sentences_say_what_was_measured_and_nothing_else(
    seed: int, motion: str, speed: str, shot: str | None, subject: str, place: str
) -> None:
    text = camera_sentence(Random(seed), motion, speed=speed, shot=shot, subject=subject, place=place)
    assert states_camera(text, motion)
    assert camera_contradictions(text, motion) == set()
    assert shot_claims(text) == ({shot} if shot else set())
    assert mentions_camera(text)
    assert sentences(text) == [text]


@given(
    st.integers(0, 10_000), st.sampled_from(KNOWN_SHOTS), st.sampled_from(SUBJECTS), st.sampled_from(PLACES)
)
def test_a_shot_alone_states_no_movement(seed: int, shot: str, subject: str, place: str) -> None:
    text = camera_sentence(Random(seed), "unknown", shot=shot, subject=subject, place=place)
    assert camera_claims(text) == set()
    assert shot_claims(text) == {shot}


@given(st.integers(0, 10_000), st.sampled_from(SUBJECTS), st.sampled_from(PLACES))
def test_other_sentences_state_no_camera_movement(seed: int, subject: str, place: str) -> None:
    rng = Random(seed)
    names = {"subject": subject, "place": place}
    texts = [
        light_sentence(rng, level, temperature, contrast, **names)
        for level in ("dark", "dim", "soft", "bright")
        for temperature in (None, "warm", "cool", "neutral")
        for contrast in (None, "low", "medium", "high")
    ]
    texts += [palette_sentence(rng, ("gray", "brown"), monochrome=gray, **names) for gray in (True, False)]
    texts += [style_sentence(rng, "naturalistic", **names)]
    texts += [
        motion_sentence(rng, m, **names) for m in ("moving left", "toward the camera", "still", "moving")
    ]
    for position in (None, "left", "center"):
        for motion in (None, "still", "moving left", "toward the camera", "moving"):
            texts.append(
                subject_sentence(rng, subject, position=position, motion=motion, place=place, beside="a dog")
            )
    texts += [look_sentence(rng, "realistic", ("gray",), "low", monochrome=gray) for gray in (True, False)]
    texts += [
        opening_sentence(rng, "two people in black", where=" in the street"),
        focus_sentence(rng, **names),
    ]
    for text in texts:
        assert camera_claims(text) == set(), text
        assert "{" not in text and "[" not in text and "|" not in text, text


def test_nothing_may_be_claimed_of_an_unknown_camera() -> None:
    assert camera_contradictions("The camera pans right.", "unknown") == {"pan right"}
    assert camera_contradictions("A wide shot of a lake.", "unknown") == set()


def test_neither_movement_nor_shot_is_an_error() -> None:
    with pytest.raises(ValueError, match="neither"):
        camera_sentence(Random(0), "unknown", subject="the cat", place="the roof")
