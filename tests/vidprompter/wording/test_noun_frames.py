"""Phrases without an article, which spaCy alone often takes for verbs."""

from __future__ import annotations

import pytest

from vidprompter.wording.kinds import kind_of
from vidprompter.wording.noun_frames import bare_noun, is_bare_clause


@pytest.mark.parametrize(
    ("phrase", "kind"),
    [
        ("sleeping cat", "a_thing"),
        ("cracked leather armchair", "a_thing"),
        ("wolf howling at the moon", "a_thing"),
        ("glass of wine", "a_thing"),
        ("man in a yellow raincoat", "a_thing"),
        ("chalk dust in the air", "things"),
        ("steam rising from the bowl", "things"),
        ("snowflakes drifting", "things"),
        ("Dutch angle", "a_style"),
        ("soft pastel palette", "a_style"),
        ("lens flare", "a_style"),
        ("low-key lighting", "style"),
        ("bird's eye view", "bare_genre"),
        ("in extreme close-up", "filmed"),
        ("seen from a drone", "is_filmed"),
        ("shot from below", "is_filmed"),
        ("next to a lamppost", "place"),
        ("leaves swirl around her", "clause"),
        ("walks slowly", "does"),
        ("look at the camera", "do"),
        ("walking slowly", "doing"),
        ("peeking over the edge", "doing"),
        ("running along the shore", "doing"),
        ("wearing a red coat", "doing"),
        ("covered in paint", "done"),
    ],
)
def test_kinds(phrase: str, kind: str) -> None:
    assert kind_of(phrase) == kind


@pytest.mark.parametrize("phrase", ["walk slowly", "covered in paint", "holding a lantern", "at dawn"])
def test_what_is_no_noun_phrase(phrase: str) -> None:
    assert bare_noun(phrase) is None


def test_heads_and_what_hangs_on_them() -> None:
    found = bare_noun("pile of old books")
    assert found is not None and found.head.text == "pile" and found.counted_out
    assert is_bare_clause("dogs run on the beach") and not is_bare_clause("holds a cup")
