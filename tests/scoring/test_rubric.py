"""The rubric: each factor that a good prompt loses is named and costs marks; nothing makes it crash."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.rubric import RubricEvaluator
from scoring.rubric.evaluator import mark
from vidprompter.errors import InputError
from vidprompter.scores import Score
from vidprompter.tasks import Request, Task

GOOD = (
    "A gray-haired fisherman in a yellow raincoat stands at the left edge of a wooden pier and slowly pulls a heavy net "
    "from the water. He bends his knees, lifts the net over the rail and steps back as silver fish spill onto the planks. "
    "Behind him a small harbor lies in light morning fog, with moored boats, stacked crates and a white lighthouse in the "
    "distance. A medium shot at eye level shows him, and the camera pans slowly to the right and follows the net. Soft, "
    "diffused light and muted blue tones give the clip the look of a realistic documentary."
)
REQUEST = Request(Task.SHORT_TO_PROMPT, short="a fisherman")


def part(score: Score, factor: str) -> float:
    (found,) = [check["part"] for check in score.details["checks"] if check["factor"] == factor]
    return float(found)


def value(text: str) -> float:
    found = mark(text).value
    assert found is not None
    return found


def test_a_good_prompt_has_all_and_a_short_one_little() -> None:
    good = mark(GOOD)
    assert good.flags == ()
    assert good.value is not None
    assert good.value > 9
    assert value("a fisherman on a pier") < 3
    assert value("fisherman") < 1


@pytest.mark.parametrize(
    ("factor", "worse"),
    [
        ("sentences", GOOD.split(". ")[0] + "."),
        (
            "subject",
            "Light morning fog lies over the calm sea near the coast. It is a quiet and peaceful day in early autumn with "
            "some wind. The camera pans slowly to the right in a wide shot at eye level. Soft, diffused light and muted "
            "blue tones give the clip the look of a realistic documentary, and the mood is calm all the time.",
        ),
        (
            "background",
            "A fisherman in a raincoat stands and slowly pulls. He bends his knees, lifts and steps back. A medium shot at "
            "eye level shows him, and the camera pans slowly to the right and follows him. He smiles and turns to the left. "
            "The clip has the look of a realistic documentary with muted blue tones and a calm and serious mood.",
        ),
        (
            "camera",
            GOOD.replace(
                "A medium shot at eye level shows him, and the camera pans slowly to the right and follows the net.",
                "He looks tired and content, and he wipes his forehead with a sleeve.",
            ),
        ),
        ("style", GOOD[: GOOD.index("Soft, diffused")].replace("Behind him", "He rests. Behind him")),
        ("natural", "Sure, here is a detailed prompt for you: " + GOOD),
        ("natural", "I'm sorry, but I cannot see the video. " + GOOD),
        ("natural", GOOD + " The fisherman walks to the"),
        ("natural", "## Prompt\n**Subject:** " + GOOD),
        ("frame_by_frame", "In the first frame, he waits. Then in the next frame, he moves. " + GOOD),
        ("frame_by_frame", "Frame 1: he waits. Frame 2: he pulls. " + GOOD),
        ("repetition", GOOD + " " + GOOD.split(". ")[1] + "."),
        ("repetition", GOOD + " The net is heavy." * 6),
        (
            "length",
            " ".join(f"{GOOD} In place {word}, all is new." for word in ("one", "two", "three", "four")),
        ),
    ],
)
def test_a_factor_that_is_lost_costs_marks_and_is_named(factor: str, worse: str) -> None:
    score = mark(worse)
    assert part(score, factor) < part(mark(GOOD), factor) - 0.1
    assert score.value is not None
    assert score.value < value(GOOD) - 0.2
    checks = score.details["checks"]
    weakest = {check["factor"] for check in checks if check["part"] < 0.8}
    assert factor in weakest
    assert all(check["reason"] for check in checks)


def test_a_refusal_or_a_loop_is_worth_next_to_nothing() -> None:
    assert (
        value("I'm sorry, but as an AI language model I can't watch videos. Please provide a description.")
        < 1
    )
    assert value("The cat sits on the mat. " * 20) < 2
    assert "weak:natural" in mark("The cat sits on the mat. " * 20).flags


@pytest.mark.parametrize(
    "text",
    [
        "Ein Fischer steht auf dem Steg und zieht langsam ein Netz aus dem Wasser. Die Kamera schwenkt nach rechts.",
        "Kalastaja seisoo laiturilla ja vetää hitaasti verkkoa vedestä. Kamera kääntyy oikealle.",
        "一位渔夫站在码头上，慢慢地把网从水里拉出来。镜头缓缓向右移动。",
        "Рыбак стоит на пирсе и медленно тянет сеть из воды.",
        "صياد يقف على الرصيف ويسحب الشبكة ببطء من الماء.",
        "xq zzrt bnmk plokij wertz ghjk",
    ],
)
def test_other_languages_have_no_mark(text: str) -> None:
    assert (mark(text).value, mark(text).flags) == (None, ("language",))


@pytest.mark.parametrize("text", ["", "  \n", "\U0001f600 \U0001f431", "1234 5678", "... !!"])
def test_what_has_no_words_is_empty(text: str) -> None:
    assert (mark(text).value, mark(text).flags) == (None, ("empty",))


def test_ten_thousand_words_are_marked_as_far_as_they_are_read() -> None:
    score = mark(" ".join(f"The man walks to house {n} and opens a door." for n in range(1000)))
    assert {"weak:length", "truncated"} <= set(score.flags)
    assert score.details["words_not_read"] > 8000
    assert score.value is not None
    assert score.value < 5


def test_the_evaluator_marks_texts_alone_and_a_text_twice_alike() -> None:
    evaluator = RubricEvaluator()
    (identity,) = evaluator.identities
    assert (identity.name, identity.low, identity.high, identity.needs_video) == ("rubric", 0.0, 10.0, False)
    first, second = evaluator.score([REQUEST, REQUEST], [[GOOD, "a cat"], [GOOD]])
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert first[0] == second[0]
    assert first[0].value("rubric") == value(GOOD)
    json.dumps(dict(first[0].of("rubric").details))
    with pytest.raises(InputError, match="one list of texts"):
        evaluator.score([REQUEST], [])
    evaluator.close()


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.text(alphabet=st.characters(), max_size=200),
        st.lists(
            st.sampled_from([*GOOD.split(), "{", "**", "frame 1", "\n", "\ud800", "\x00"]), max_size=60
        ).map(" ".join),
    )
)
def test_whatever_is_given_the_mark_is_in_range_or_none(text: str) -> None:
    score = mark(text)
    assert score.value is None or 0 <= score.value <= 10
    assert score.value is not None or score.flags
    assert mark(text) == score
    json.dumps(dict(score.details))
