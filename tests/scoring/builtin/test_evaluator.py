"""The evaluator itself: refusals without weights, the three example clips with them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from scoring.builtin.evaluator import NO_PICTURES, NOTHING_TO_CHECK, BuiltinEvaluator
from scoring.builtin.explain import explain
from scoring.names import EvaluatorOptions
from vidprompter.errors import InputError, VideoNotFound, WeightsMissing
from vidprompter.scores import EMPTY, LANGUAGE, TRUNCATED, Score, Scored
from vidprompter.tasks import Request, Task

RIGHT = {
    "bikes": "Cars and a taxi in a city street, a man in a dark suit, and a black bicycle parked at a gray wall.",
    "bigbuckbunny": "A big gray rabbit stretches on green grass in front of its den. The camera is static.",
    "carphone": "A close-up of a man in a black suit with a red bow tie who talks in a car.",
}
WRONG = {
    "bikes": [
        ("Cars", "Boats"),
        ("black bicycle", "yellow bicycle"),
        ("a man", "a giraffe"),
        ("gray", "pink"),
    ],
    "bigbuckbunny": [
        ("gray rabbit", "orange rabbit"),
        ("green", "red"),
        ("is static", "pans left"),
        ("A big", "Five big"),
    ],
    "carphone": [
        ("man", "horse"),
        ("black", "yellow"),
        ("red", "green"),
        ("close-up", "wide shot"),
        ("bow tie", "kite"),
    ],
}


def test_names_itself_without_loading() -> None:
    (identity,) = BuiltinEvaluator().identities
    assert (identity.name, identity.low, identity.high) == ("builtin", 0, 100)
    assert "rules." in identity.revision and identity.needs_video and identity.max_tokens is None


def test_says_which_command_fetches_what_is_missing(tmp_path: Path) -> None:
    request = Request(Task.VIDEO_TO_PROMPT, video=tmp_path / "a.mp4")
    with pytest.raises(WeightsMissing, match="vidprompter models pull builtin"):
        BuiltinEvaluator().score([request], [["a dog"]])


def test_wants_as_many_lists_as_requests() -> None:
    with pytest.raises(InputError, match="1 requests, but candidates for 0"):
        BuiltinEvaluator().score([Request(Task.SHORT_TO_PROMPT, short="a dog")], [])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def evaluator(cache: Path) -> Iterator[BuiltinEvaluator]:
    made = BuiltinEvaluator(EvaluatorOptions(cache=cache))
    yield made
    made.close()


@pytest.fixture(scope="module")
def clips() -> Path:
    from models.fetching import find

    return find("example-clips")


def ask(evaluator: BuiltinEvaluator, request: Request, *texts: str) -> list[Score]:
    (outcome,) = evaluator.score([request], [texts])
    assert isinstance(outcome, list), outcome
    return [one.of("builtin") for one in outcome]


def ask_all(evaluator: BuiltinEvaluator, clips: Path, texts: dict[str, list[str]]) -> dict[str, list[float]]:
    requests = [Request(Task.VIDEO_TO_PROMPT, video=clips / f"{name}.mp4") for name in texts]
    found = {}
    for name, outcome in zip(texts, evaluator.score(requests, list(texts.values())), strict=True):
        assert isinstance(outcome, list)
        values = [one.value("builtin") for one in outcome]
        assert all(v is not None and 0 <= v <= 100 for v in values)
        found[name] = [v for v in values if v is not None]
    return found


@pytest.mark.weights
def test_the_right_caption_comes_first(evaluator: BuiltinEvaluator, clips: Path) -> None:
    names = list(RIGHT)
    values = ask_all(evaluator, clips, {name: [RIGHT[n] for n in names] for name in names})
    for number, name in enumerate(names):
        assert max(values[name]) == values[name][number]


@pytest.mark.weights
def test_a_wrong_word_loses(evaluator: BuiltinEvaluator, clips: Path) -> None:
    texts = {
        name: [RIGHT[name], *(RIGHT[name].replace(right, wrong, 1) for right, wrong in WRONG[name])]
        for name in RIGHT
    }
    assert all(len(set(some)) == len(some) for some in texts.values())
    lost = {
        text: value
        for name, values in ask_all(evaluator, clips, texts).items()
        for text, value in zip(texts[name][1:], values[1:], strict=True)
        if value >= values[0]
    }
    assert not lost


@pytest.mark.weights
def test_odd_texts_are_flagged(evaluator: BuiltinEvaluator, clips: Path) -> None:
    request = Request(Task.VIDEO_TO_PROMPT, video=clips / "carphone.mp4")
    german = "Ein Mann mit einer Fliege spricht in einem Auto, und die Kamera bewegt sich nicht."
    long = "A man talks in a car. " * 6000
    empty, emoji, foreign, vague, much = ask(evaluator, request, " ", "🚗🤵", german, "So very nice!", long)
    assert (empty.value, empty.flags) == (emoji.value, emoji.flags) == (None, (EMPTY,))
    assert (foreign.value, foreign.flags) == (None, (LANGUAGE,))
    assert vague.flags == (NOTHING_TO_CHECK,) and vague.value is not None
    assert much.flags == (TRUNCATED,) and much.truncated > 1000 and much.value is not None


@pytest.mark.weights
def test_a_bad_request_costs_itself_alone(evaluator: BuiltinEvaluator, clips: Path) -> None:
    requests = [
        Request(Task.VIDEO_TO_PROMPT, video=clips / "nowhere.mp4"),
        Request(Task.SHORT_TO_PROMPT, short="a dog"),
        Request(Task.VIDEO_TO_PROMPT, video=clips / "carphone.mp4"),
    ]
    missing, without, good = evaluator.score(requests, [["a man"]] * 3)
    assert isinstance(missing, VideoNotFound)
    assert isinstance(without, InputError) and "give a video" in str(without)
    assert isinstance(good, list)


@pytest.mark.weights
def test_details_are_json_and_are_explained(evaluator: BuiltinEvaluator, clips: Path) -> None:
    request = Request(Task.VIDEO_TO_PROMPT, video=clips / "carphone.mp4")
    (score,) = ask(evaluator, request, "A man wears a purple suit. The camera zooms in.")
    assert json.loads(json.dumps(dict(score.details))) == score.details
    wrong = {(c["kind"], c["said"]): c for c in score.details["contradictions"]}
    assert set(wrong) == {("color", "purple suit"), ("camera", "zoom in")}
    assert wrong["color", "purple suit"]["sentence"] == "A man wears a purple suit."
    out = io.StringIO()
    Console(file=out, width=120).print(explain(score))
    assert "purple suit" in out.getvalue() and "contradicted" in out.getvalue()


@pytest.mark.weights
def test_a_sheet_alone_and_batches_make_no_difference(evaluator: BuiltinEvaluator, clips: Path) -> None:
    from vidprompter.sheet.measure import measure_sheet

    path, text = clips / "carphone.mp4", RIGHT["carphone"]
    sheet = measure_sheet(path)
    (alone,) = ask(evaluator, Request(Task.VIDEO_TO_PROMPT, sheet=sheet), text)
    assert alone.flags == (NO_PICTURES,) and alone.details["match"] is None and alone.value is not None
    request = Request(Task.VIDEO_TO_PROMPT, video=path)
    fresh = BuiltinEvaluator(EvaluatorOptions(cache_bytes=0))
    (one,) = ask(fresh, request, text)
    fresh.close()
    batch = ask(evaluator, request, "a horse on a beach", text, text)
    assert batch[1] == batch[2]
    assert one.value == pytest.approx(batch[1].value, abs=0.002) and one.flags == batch[1].flags


@pytest.mark.weights
def test_a_clip_is_measured_once(
    evaluator: BuiltinEvaluator, clips: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, text = Request(Task.VIDEO_TO_PROMPT, video=clips / "carphone.mp4"), RIGHT["carphone"]
    (before,) = ask(evaluator, request, text)
    again = BuiltinEvaluator(EvaluatorOptions(cache=cache))
    monkeypatch.setattr(again, "_workers_for", lambda clips: pytest.fail("the clip was looked at again"))
    (after,) = ask(again, request, text)
    assert after.value == pytest.approx(before.value, abs=0.002)
    assert after.details["facts"] == before.details["facts"]


@pytest.mark.weights
def test_pictures_and_decoded_clips_are_scored_too(
    evaluator: BuiltinEvaluator, clips: Path, tmp_path: Path
) -> None:
    import cv2

    from vidprompter.sheet.measure import sampling_plans
    from vidprompter.video.source import VideoSource

    (clip, *_) = VideoSource(clips / "carphone.mp4").sample(*sampling_plans())
    picture = tmp_path / "man.png"
    cv2.imwrite(str(picture), clip.frames[0][..., ::-1])
    right, wrong = "A man in a black suit with a red bow tie.", "A horse in a yellow boat on a green kite."
    for video in (clip, picture):
        one, other = ask(evaluator, Request(Task.VIDEO_TO_PROMPT, video=video), right, wrong)
        assert one.value is not None and other.value is not None and one.value > other.value + 10


def test_a_score_without_facts_is_explained_too() -> None:
    out = io.StringIO()
    score = Scored("", (Score("builtin", None, flags=(EMPTY,)),)).of("builtin")
    Console(file=out, width=80).print(explain(score))
    assert "no score" in out.getvalue() and EMPTY in out.getvalue()
