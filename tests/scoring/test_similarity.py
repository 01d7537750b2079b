"""CLIP, Long-CLIP and VideoCLIP-XL as evaluators, on tiny checkpoints in the published layouts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.features import frames as frames_module
from scoring.features.model import ClipModel
from scoring.names import EvaluatorOptions, Named, make_evaluator
from scoring.similarity import Similarity, has_words
from tests.models.clip import tiny
from tests.scoring.clips import moving_square, write_clip
from vidprompter.errors import InputError, ModelError, VideoError, VidPrompterError, WeightsCorrupt
from vidprompter.scores import Scored
from vidprompter.tasks import Request, Task
from vidprompter.video.clip import Clip, VideoInfo
from vidprompter.video.sampling import Uniform
from vidprompter.video.source import VideoSource

TEXTS = (
    "a red square moves right",
    "A cat.",
    "a red square moves right",
    "Ein Hund läuft über die Straße 🐕",
)
CLOSE = 1e-4


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> list[Named]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return [
        Named("clip", str(tiny.write_clip(folder / "clip"))),
        Named("long-clip", str(tiny.write_long_clip(folder / "longclip-L.pt", seed=1))),
        Named("videoclip-xl", str(tiny.write_videoclip_xl(folder / "VideoCLIP-XL.bin", seed=2))),
    ]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [write_clip(folder / f"{seed}.mp4", seed) for seed in range(5)]


@pytest.fixture
def options(tmp_path: Path) -> EvaluatorOptions:
    return EvaluatorOptions(cache=tmp_path / "features", workers=1, device="cpu")


@pytest.fixture
def evaluator(named: list[Named], options: EvaluatorOptions) -> Iterator[Similarity]:
    made = Similarity(named, options)
    yield made
    made.close()


def asking(video: Path | Clip, **more: Any) -> Request:
    return Request(Task.VIDEO_TO_PROMPT, video, **more)


def numbers(outcome: list[Scored] | VidPrompterError) -> list[list[float | None]]:
    assert not isinstance(outcome, VidPrompterError), outcome
    return [[score.value for score in one.scores] for one in outcome]


def by_hand(one: Named, clip: Path, text: str, frames: int = 8) -> float:
    """Without anything of `scoring/`, on torch."""
    from models.clip.load import load_clip

    encoder = load_clip(one.name, one.where, backend="torch", device="cpu")
    [seen] = VideoSource(clip, use_decord=False).sample(Uniform(frames, max_side=2048))
    pixels = encoder.card.preprocess(seen.frames)
    if encoder.card.video_frames:
        feature = encoder.encode_videos(pixels[None])[0]
    else:
        feature = encoder.encode_images(pixels).mean(0)
        feature /= np.linalg.norm(feature)
    ids = encoder.tokenizer.cut(encoder.tokenizer.encode(text), encoder.card.max_tokens)
    return float(100 * feature @ encoder.encode_texts([ids])[0])


def test_scores_are_those_by_hand(evaluator: Similarity, named: list[Named], clips: list[Path]) -> None:
    outcomes = evaluator.score([asking(clip) for clip in clips[:2]], [TEXTS, TEXTS[:1]])
    for clip, outcome, texts in zip(clips, outcomes, (TEXTS, TEXTS[:1]), strict=False):
        assert [one.text for one in outcome] == list(texts)  # type: ignore[union-attr]
        for text, values in zip(texts, numbers(outcome), strict=True):
            wanted = [by_hand(one, clip, text) for one in named]
            assert np.abs(np.array(values) - wanted).max() < 100 * CLOSE
    assert numbers(outcomes[0])[0] == numbers(outcomes[0])[2]
    assert len({tuple(row) for row in numbers(outcomes[0])}) == 3


def test_identities(evaluator: Similarity) -> None:
    clip, long, video = evaluator.identities
    assert [one.name for one in (clip, long, video)] == ["clip", "long-clip", "videoclip-xl"]
    assert [one.max_tokens for one in (clip, long, video)] == [77, 248, 248]
    assert all(
        one.needs_video and one.revision and (one.low, one.high) == (-100, 100) for one in (clip, long, video)
    )
    assert clip.settings == {"frames": 8, "dtype": "float32"}


def test_the_ensemble_has_a_mean(named: list[Named], options: EvaluatorOptions, clips: list[Path]) -> None:
    ensemble = make_evaluator([f"{one.name}={one.where}" for one in named], options)
    [[scored]] = ensemble.score([asking(clips[0])], [TEXTS[:1]])  # type: ignore[misc]
    ensemble.close()
    assert isinstance(scored, Scored)
    assert scored.mean == pytest.approx(np.mean([score.value for score in scored.scores]))


def test_batches_change_nothing(
    named: list[Named], options: EvaluatorOptions, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    uncached = replace(options, cache_bytes=0)
    monkeypatch.setattr("scoring.features.extract._REMEMBERED", 0)
    one = Similarity(named, uncached)
    together = one.score([asking(clip) for clip in clips], [TEXTS] * 5)
    again = one.score([asking(clip) for clip in clips], [TEXTS] * 5)
    assert [numbers(a) for a in together] == [numbers(b) for b in again]
    alone = [one.score([asking(clip)], [[text]])[0] for clip in clips[3:] for text in TEXTS]
    monkeypatch.setattr("scoring.similarity.WINDOW", 2)
    windows = one.score([asking(clip) for clip in clips], [TEXTS] * 5)
    one.close()
    for other in (windows, [[*alone[:4]], [*alone[4:]]]):
        pairs = zip(together[-len(other) :], other, strict=True)
        if other is windows:
            assert all(np.abs(np.array(numbers(a)) - numbers(b)).max() < 100 * CLOSE for a, b in pairs)  # type: ignore[arg-type]
    flat = np.array([numbers(a)[0] for a in alone])
    assert np.abs(flat - np.concatenate([np.array(numbers(a)) for a in together[3:]])).max() < 100 * CLOSE


def test_a_clip_is_decoded_and_encoded_once(
    evaluator: Similarity, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, encoded, texts = [], [], []
    pool_map, encode, encode_texts = (
        frames_module.FramePool.map,
        ClipModel.encode_clips,
        ClipModel.encode_texts,
    )
    monkeypatch.setattr(
        frames_module.FramePool,
        "map",
        lambda self, jobs: pool_map(self, [decoded.append(job.path) or job for job in jobs]),  # type: ignore[func-returns-value]
    )
    monkeypatch.setattr(
        ClipModel,
        "encode_clips",
        lambda self, some: encoded.extend([self.name] * len(some)) or encode(self, some),
    )
    monkeypatch.setattr(
        ClipModel, "encode_texts", lambda self, some: texts.append(list(some)) or encode_texts(self, some)
    )
    requests = [asking(clips[0]), asking(clips[1]), asking(clips[0])]
    evaluator.score(requests, [["a b", "c", "a b"], ["c"], ["d"] * 20])
    assert sorted(decoded) == [clips[0], clips[1]]
    assert sorted(encoded) == sorted(["clip", "long-clip", "videoclip-xl"] * 2)
    assert texts == [["a b", "c", "d"]] * 3
    evaluator.score(requests, [["e"], ["c"], ["d"]])
    assert len(decoded) == 2 and len(encoded) == 6
    assert texts[3:] == [["e"]] * 3


def test_a_second_run_loads_neither_torch_nor_weights(
    named: list[Named], options: EvaluatorOptions, clips: list[Path]
) -> None:
    first = Similarity(named[:1], options)
    wanted = numbers(first.score([asking(clips[0])], [TEXTS])[0])
    first.close()
    code = f"""
import sys
from pathlib import Path
from scoring.names import EvaluatorOptions, Named
from scoring.similarity import Similarity
from vidprompter.tasks import Request, Task
made = Similarity([Named("clip", {named[0].where!r})], EvaluatorOptions(cache=Path({str(options.cache)!r}), device="cpu"))
[scored] = made.score([Request(Task.VIDEO_TO_PROMPT, Path({str(clips[0])!r}))], [{TEXTS!r}])
print([[one.value for one in row.scores] for row in scored])
assert not {{"torch", "onnxruntime", "transformers", "tokenizers"}} & set(sys.modules), "loaded"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(wanted)


@pytest.mark.slow
def test_another_model_frames_or_range_is_another_feature(
    named: list[Named], options: EvaluatorOptions, clips: list[Path], tmp_path: Path
) -> None:
    other = Named("clip", str(tiny.write_clip(tmp_path / "other", seed=9)))
    values = []
    for one, opts, more in (
        (named[0], options, {}),
        (other, options, {}),
        (named[0], replace(options, frames=3), {}),
        (named[0], options, {"start": 0.5}),
        (named[0], options, {"end": 0.5}),
    ):
        made = Similarity([one], opts)
        values.append(numbers(made.score([asking(clips[0], **more)], [TEXTS[:1]])[0])[0][0])
        made.close()
    assert len(set(values)) == 5


def test_frames_in_memory(evaluator: Similarity, named: list[Named]) -> None:
    pictures = moving_square(7, frames=20)
    info = VideoInfo("memory", 96, 64, 12.0, 20 / 12, 20, 0, "raw", "pyav")
    clip = Clip(pictures, np.arange(20) / 12, info)
    [outcome] = evaluator.score([asking(clip)], [TEXTS[:1]])
    assert all(value is not None for value in numbers(outcome)[0])
    still = Clip(pictures[:1], np.zeros(1), info)
    few = Clip(pictures[:3], np.arange(3) / 12, info)
    for outcome in evaluator.score([asking(still), asking(few)], [TEXTS[:1]] * 2):
        assert all(value is not None for value in numbers(outcome)[0])


def test_a_picture(evaluator: Similarity, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(moving_square(3)[5]).save(tmp_path / "still.png")
    [outcome] = evaluator.score([asking(tmp_path / "still.png")], [TEXTS])
    assert all(value is not None for row in numbers(outcome) for value in row)


def test_bad_clips_cost_themselves_alone(evaluator: Similarity, clips: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clips[0].read_bytes()[:300])
    text = tmp_path / "text.mp4"
    text.write_text("no video at all")
    requests = [
        asking(broken),
        asking(clips[0]),
        asking(tmp_path / "missing.mp4"),
        Request(Task.SHORT_TO_PROMPT, short="an idea"),
        asking(text),
        asking(clips[1], start=1000.0),
        asking(clips[1]),
        asking(tmp_path),
    ]
    outcomes = evaluator.score(requests, [TEXTS[:2]] * 8)
    kinds = [type(outcome).__name__ for outcome in outcomes]
    assert [isinstance(outcome, list) for outcome in outcomes] == [n in (1, 6) for n in range(8)], kinds
    assert all(isinstance(outcomes[n], VideoError) for n in (0, 2, 4, 7))
    assert all(isinstance(outcomes[n], InputError) for n in (3, 5))
    assert "rubric" in str(outcomes[3])
    assert numbers(outcomes[1]) == numbers(evaluator.score([asking(clips[0])], [TEXTS[:2]])[0])


def test_odd_texts(evaluator: Similarity, clips: list[Path]) -> None:
    odd = [
        "",
        "  \n\t",
        "...!?",
        "🎉",
        "這是一隻貓",
        "قطة على الطاولة",
        "a" * 5000,
        " ".join(["word"] * 10_000),
        "\x00",
        "\ud800 x",
    ]
    [outcome] = evaluator.score([asking(clips[0])], [odd])
    assert not isinstance(outcome, VidPrompterError)
    for text, one in zip(odd, outcome, strict=True):
        for score in one.scores:
            if has_words(text):
                assert score.value is not None and np.isfinite(score.value)
            else:
                assert score.value is None and score.flags == ("empty",)
    assert [has_words(text) for text in odd] == [
        False,
        False,
        False,
        True,
        True,
        True,
        True,
        True,
        False,
        True,
    ]
    long = outcome[7]
    clip, other, video = long.scores
    assert clip.tokens == other.tokens == 10_002
    assert (clip.truncated, other.truncated, video.truncated) == (10_002 - 77, 10_002 - 248, 10_002 - 248)
    assert clip.flags == ("truncated",) and long.truncated["clip"] == clip.truncated
    assert outcome[3].of("clip").truncated == 0
    assert outcome[3].of("clip").flags == () and outcome[4].of("clip").flags == ("language",)
    assert outcome[5].of("long-clip").flags == ("language",)


def test_no_requests_and_no_texts(evaluator: Similarity, clips: list[Path]) -> None:
    assert evaluator.score([], []) == []
    assert evaluator.score([asking(clips[0])], [[]]) == [[]]
    with pytest.raises(InputError, match="one list"):
        evaluator.score([asking(clips[0])], [])


def test_nothing_without_weights(tmp_path: Path, options: EvaluatorOptions) -> None:
    with pytest.raises(ModelError):
        Similarity([Named("clip", str(tmp_path / "nothing.pt"))], options)
    with pytest.raises(ModelError, match="pull"):
        Similarity([Named("clip")], options)


def test_weights_that_are_no_numbers_are_refused(
    tmp_path: Path, options: EvaluatorOptions, clips: list[Path]
) -> None:
    tensors = tiny.clip_tensors(context=248, seed=4)
    tensors["ln_final.weight"][3] = np.nan
    path = tiny.save_pickle(tensors, tmp_path / "nan.pt")
    made = Similarity([Named("long-clip", str(path))], options)
    with pytest.raises(WeightsCorrupt, match=r"ln_final\.weight"):
        made.score([asking(clips[0])], [TEXTS])
    made.close()


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"workers": 0}, {"cache_bytes": -1}, {"batch": 0}])
def test_options_that_make_no_sense(
    wrong: dict[str, int], named: list[Named], options: EvaluatorOptions
) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Similarity(named, replace(options, **wrong))  # type: ignore[arg-type]


def test_on_torch(
    named: list[Named], options: EvaluatorOptions, clips: list[Path], evaluator: Similarity
) -> None:
    torch = Similarity(named, replace(options, backend="torch"))
    found = torch.score([asking(clip) for clip in clips], [TEXTS] * 5)
    wanted = evaluator.score([asking(clip) for clip in clips], [TEXTS] * 5)
    torch.close()
    for a, b in zip(found, wanted, strict=True):
        assert np.abs(np.array(numbers(a)) - np.array(numbers(b))).max() < 100 * CLOSE
