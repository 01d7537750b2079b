from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidprompter.facts.camera_text import camera_claims
from vidprompter.facts.claims import KINDS, MONOCHROME, SEVERAL, Claim, Statement, statements


def claims(text: str) -> set[tuple[str, str, str]]:
    return {(c.kind, c.said, c.noun) for c in statements([text])[0].claims}


def only(text: str, kind: str) -> set[tuple[str, str]]:
    return {(said, noun) for k, said, noun in claims(text) if k == kind}


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("Three bottles stand on a table.", "object", {("bottle", "bottle"), ("table", "table")}),
        ("Three bottles stand on a table.", "count", {("3", "bottle"), ("1", "table")}),
        ("A kitten walks across a lawn.", "object", {("kitten", "kitten")}),
        ("A kitten walks across a lawn.", "count", {("1", "kitten"), ("1", "lawn")}),
        ("A herd of cows is on the hill.", "count", {(SEVERAL, "cow")}),
        ("A pair of dogs runs.", "count", {("2", "dog")}),
        ("A single car waits.", "count", {("1", "car")}),
        ("A white car drives on a grey road.", "color", {("white", "car"), ("grey", "road")}),
        ("The wall behind is plain and gray.", "color", {("gray", "wall")}),
        ("A man in black walks.", "color", {("black", "man")}),
        ("A man in black trousers walks.", "color", {("black", "trousers")}),
        ("A black and white kitten plays.", "color", {("black", "kitten"), ("white", "kitten")}),
        ("Old black and white footage shows a horse.", "color", {(MONOCHROME, "")}),
        ("A white car comes, later a red one.", "color", {("white", "car"), ("red", "")}),
        ("A plain white background.", "color", {("white", "background")}),
        ("A boat lies on the lake.", "place", {("lake", "lake")}),
        ("A street film.", "place", {("street", "street")}),
        ("The camera pans left in a wide shot.", "camera", {("pan left", "")}),
        ("The camera pans left in a wide shot.", "shot", {("wide shot", "")}),
        ("Dim light falls into the room.", "light", {("dim", "")}),
        ("A man in a dark coat.", "light", set()),
        ("A cat walks toward the camera.", "motion", {("toward the camera", "")}),
        ("The film is a montage.", "camera", {("cuts", "")}),
    ],
)
def test_what_a_text_states(text: str, kind: str, wanted: set[tuple[str, str]]) -> None:
    assert only(text, kind) == wanted


@pytest.mark.parametrize("text", ["There are no cars.", "A street without people.", "Nothing moves."])
def test_what_is_denied_is_not_stated(text: str) -> None:
    assert not {noun for noun, _ in only(text, "object")} & {"car", "person"}


@pytest.mark.parametrize(
    ("text", "noun"),
    [
        ("A big grey rabbit stretches.", "rabbit"),
        ("a rabbit yawns next to a rock", "rabbit"),
        ("A car drives.", "car"),
    ],
)
def test_what_a_thing_does_is_no_thing(text: str, noun: str) -> None:
    """The tagger takes the verb for a plural noun here, and the subject for a part of its name."""
    assert (noun, noun) in only(text, "object")
    assert not {"stretch", "yawn", "drive"} & {said for said, _ in only(text, "object")}


def test_a_colour_is_kept_with_every_mention() -> None:
    assert only("A horse grazes. The brown horse runs.", "color") == {("brown", "horse")}


def test_contents_do_not_change_with_colour_number_and_camera() -> None:
    one, two = statements(
        [
            "Two white cars wait. The camera pans left.",
            "Five green cars wait. The camera zooms in.",
        ]
    )
    assert one.contents == two.contents == ("car", "")


@pytest.mark.parametrize(
    ("text", "claimed"),
    [
        ("A man with a camera on a tripod.", set()),
        ("A wide shot of a still lake.", set()),
        ("The camera pans over a still lake.", {"pan"}),
        ("A man stands still as the camera pans right.", {"pan right"}),
        ("A cat walks toward the camera and turns to the left.", set()),
        ("A person turns left in front of the camera.", set()),
        ("The camera does not zoom or pan.", {"static"}),
        ("The camera never moves.", {"static"}),
        ("The view is static.", {"static"}),
        ("Filmed from a tripod, the scene shows a dog.", {"static"}),
        ("The scene is filmed with a handheld camera.", {"handheld"}),
        ("The camera moves forward.", {"zoom in"}),
        ("The camera slowly moves to the left.", {"pan left"}),
        ("The camera rotates around the statue.", {"other"}),
        ("The camera tracks the car from left to right.", {"pan right"}),
        ("a smooth pan right", {"pan right"}),
    ],
)
def test_camera_words_are_the_cameras(text: str, claimed: set[str]) -> None:
    assert camera_claims(text) == claimed


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=200), max_size=3))
def test_any_text_can_be_taken_apart(texts: list[str]) -> None:
    found = statements(texts)
    assert [one.text for one in found] == texts
    for one in found:
        assert isinstance(one, Statement) and len(one.contents) == len(one.sentences)
        for claim in one.claims:
            assert isinstance(claim, Claim) and claim.kind in KINDS
            assert 0 <= claim.sentence < len(one.sentences)
