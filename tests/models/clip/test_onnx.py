"""ONNX sessions against the network in torch: both towers, uneven batches, all lengths of texts."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.clip import onnx_store
from models.clip.config import ClipConfig, Tower
from models.clip.encoder import Card
from models.clip.onnx_encoder import OnnxEncoder
from models.clip.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from models.errors import CapabilityError, ModelError, WeightsCorrupt

SIDE, END = 32, 199
IMAGE = ClipConfig(SIDE, 8, Tower(48, 2, 4, 96), Tower(32, 2, 2, 64), 24, vocab_size=200, end_id=END)
LONG = replace(IMAGE, context=300, kept_positions=20, activation="gelu")
VIDEO = replace(LONG, video_frames=8)
AGREE = 1e-5  # asked for are 1e-4


class NoTokenizer:
    def encode(self, text: str) -> list[int]:
        raise AssertionError("tokens come from the tests")

    def cut(self, ids: Any, max_tokens: int) -> list[int]:
        raise AssertionError("tokens come from the tests")


def network(config: ClipConfig, seed: int = 0) -> Any:
    import torch

    from models.clip.network import ClipNetwork

    draw = torch.Generator().manual_seed(seed)
    made = ClipNetwork(config, IMAGENET_MEAN, IMAGENET_STD).eval()
    for name, tensor in made.named_parameters():
        norm = ".ln_" in f".{name}" and name.endswith("weight")
        with torch.no_grad():
            tensor.normal_(1.0 if norm else 0.0, 0.15, generator=draw)
    return made


def card(config: ClipConfig, revision: str) -> Card:
    kind = "videoclip-xl" if config.video_frames else "clip"
    look = Preprocess(SIDE, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    return Card(kind, "tiny", revision, look, config.context, config.video_frames)


def encoder(config: ClipConfig, *, revision: str = "", load: Any = None, **options: Any) -> OnnxEncoder:
    name = revision or json.dumps(config.to_json())
    return OnnxEncoder(card(config, name), NoTokenizer(), load or (lambda: network(config)), **options)


def pictures(*shape: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*shape, SIDE, SIDE, 3), dtype=np.uint8)


def texts(lengths: list[int], seed: int = 2) -> list[list[int]]:
    draw = np.random.default_rng(seed)
    return [[*draw.integers(1, END, length - 1).tolist(), END] for length in lengths]


def torch_texts(made: Any, ids: list[list[int]]) -> NDArray[np.float32]:
    """One at a time: nothing is padded."""
    import torch

    with torch.inference_mode():
        rows = [made.text_features(torch.tensor([one]), torch.tensor([len(one) - 1])) for one in ids]
    return np.concatenate([row.numpy() for row in rows])


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 21])
def test_images(count: int) -> None:
    import torch

    pixels = pictures(count)
    found = encoder(IMAGE).encode_images(pixels)
    with torch.inference_mode():
        wanted = network(IMAGE).image_features(torch.from_numpy(pixels)).numpy()
    assert found.shape == (count, 24) and found.dtype == np.float32
    assert np.abs(found - wanted).max() < AGREE
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-6


@pytest.mark.parametrize(("clips", "frames"), [(1, 8), (3, 8), (5, 1)])
def test_videos(clips: int, frames: int) -> None:
    import torch

    pixels = pictures(clips, frames)
    found = encoder(VIDEO).encode_videos(pixels)
    with torch.inference_mode():
        wanted = network(VIDEO).video_features(torch.from_numpy(pixels)).numpy()
    assert np.abs(found - wanted).max() < AGREE


@pytest.mark.parametrize("config", [IMAGE, LONG], ids=["clip", "long"])
def test_texts_of_all_lengths(config: ClipConfig) -> None:
    ids = texts([n for n in (*range(1, 80), 150, 247, 248, 299, 300) if n <= config.context])
    found = encoder(config).encode_texts(ids)
    assert np.abs(found - torch_texts(network(config), ids)).max() < AGREE


def test_batches_change_nothing() -> None:
    one = encoder(LONG)
    ids, pixels = texts([70, 3, 300, 18, 3, 77]), pictures(11)
    together = one.encode_texts(ids)
    assert np.abs(together - np.concatenate([one.encode_texts([row]) for row in ids])).max() < AGREE
    alone = np.concatenate([one.encode_images(pixels[n : n + 1]) for n in range(11)])
    assert np.abs(one.encode_images(pixels) - alone).max() < AGREE
    other = encoder(LONG, batch=3)
    assert np.abs(other.encode_images(pixels) - alone).max() < AGREE
    assert np.array_equal(one.encode_images(pixels), one.encode_images(pixels))


@pytest.mark.slow
def test_half_is_near() -> None:
    import torch

    pixels, ids = pictures(4), texts([5, 40])
    half = encoder(IMAGE, dtype="float16")
    assert half.settings == {"backend": "onnx", "dtype": "float16", "device": "cpu"}
    with torch.inference_mode():
        wanted = network(IMAGE).image_features(torch.from_numpy(pixels)).numpy()
    found = half.encode_images(pixels)
    assert found.dtype == np.float32 and 0 < np.abs(found - wanted).max() < 5e-3
    assert np.abs(half.encode_texts(ids) - torch_texts(network(IMAGE), ids)).max() < 5e-3


@pytest.mark.slow
def test_half_of_a_whole_clip() -> None:
    pixels = pictures(2, 8)
    found = encoder(VIDEO, dtype="float16").encode_videos(pixels)
    assert np.abs(found - encoder(VIDEO).encode_videos(pixels)).max() < 5e-3


def test_an_end_mark_inside_ends_a_text() -> None:
    one = encoder(IMAGE)
    short = [[1, 2, END]]
    assert np.abs(one.encode_texts([[1, 2, END, 5, 6, END]]) - one.encode_texts(short)).max() < AGREE


def test_a_second_start_reads_no_checkpoint() -> None:
    load = _Counted(lambda: network(IMAGE))
    first = encoder(IMAGE, revision="twice", load=load).encode_images(pictures(2))
    second = encoder(IMAGE, revision="twice", load=load).encode_images(pictures(2))
    assert load.calls == 1
    assert np.array_equal(first, second)


def test_damaged_graphs_are_made_again() -> None:
    load = _Counted(lambda: network(IMAGE))
    wanted = encoder(IMAGE, revision="damaged", load=load).encode_images(pictures(2))
    folder = onnx_store.home() / "onnx" / onnx_store._name(card(IMAGE, "damaged"), "float32")
    assert onnx_store._is_whole(folder)
    graph = folder / "vision.onnx"
    graph.write_bytes(b"no graph" + graph.read_bytes()[8:])
    again = encoder(IMAGE, revision="damaged", load=load).encode_images(pictures(2))
    assert np.array_equal(again, wanted) and load.calls == 2
    (folder / "text.onnx.data").write_bytes(b"")
    assert not onnx_store._is_whole(folder)


@pytest.mark.slow
def test_no_place_to_keep_graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("VIDPROMPTER_HOME", str(blocked))
    assert encoder(IMAGE, revision="nowhere").encode_images(pictures(1)).shape == (1, 24)


def test_old_graphs_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_store, "BYTES_AT_MOST", 250)
    for age, name in (
        (3, "old"),
        (2, "newer"),
        (0, "newest"),
        (90_000, ".partial-killed"),
        (5, ".partial-at-work"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "vision.onnx").write_bytes(bytes(100))
        os.utime(folder, (time.time() - age,) * 2)
    onnx_store._shrink(tmp_path / "newest")
    assert {file.name for file in tmp_path.iterdir()} == {"newer", "newest", ".partial-at-work"}


def test_weights_that_are_no_numbers_are_refused() -> None:
    def load() -> Any:
        import torch

        made = network(IMAGE)
        with torch.no_grad():
            made.visual.ln_post.weight[3] = float("nan")
            made.ln_final.weight[3] = float("nan")
        return made

    broken = encoder(IMAGE, revision="nan", load=load)
    with pytest.raises(WeightsCorrupt, match="tiny"):
        broken.encode_images(pictures(3))
    with pytest.raises(WeightsCorrupt, match="tiny"):
        broken.encode_texts(texts([4]))


def test_what_does_not_fit_is_refused() -> None:
    images, videos = encoder(IMAGE), encoder(VIDEO)
    for call in (
        lambda: images.encode_videos(pictures(1, 8)),
        lambda: videos.encode_images(pictures(8)),
        lambda: videos.encode_videos(pictures(1, 3)),
        lambda: images.encode_images(pictures(2)[:, :16]),
        lambda: images.encode_images(pictures(2).astype(np.float32)),  # type: ignore[arg-type]
        lambda: images.encode_texts(texts([78])),
        lambda: images.encode_texts([[]]),
        lambda: encoder(IMAGE, batch=0),
        lambda: encoder(IMAGE, device="abacus"),
    ):
        with pytest.raises(ModelError):
            call()
    assert images.encode_images(pictures(0)).shape[0] == 0
    assert images.encode_texts([]).shape[0] == 0


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(CapabilityError, match="use device 'cpu'"):
        encoder(IMAGE, device="cuda")


def test_the_version_is_the_same_in_both_places() -> None:
    from models.clip import onnx_export

    assert onnx_store._VERSION == onnx_export.EXPORT_VERSION


@pytest.mark.gpu
def test_on_a_gpu() -> None:
    pixels, ids = pictures(5), texts([3, 33, 77])
    cpu, gpu = encoder(IMAGE), encoder(IMAGE, device="cuda")
    assert np.abs(cpu.encode_images(pixels) - gpu.encode_images(pixels)).max() < 1e-4
    assert np.abs(cpu.encode_texts(ids) - gpu.encode_texts(ids)).max() < 1e-4
    half = encoder(IMAGE, device="cuda", dtype="float16")
    assert np.abs(cpu.encode_images(pixels) - half.encode_images(pixels)).max() < 5e-3


class _Counted:
    def __init__(self, load: Callable[[], Any]) -> None:
        self.load, self.calls = load, 0

    def __call__(self) -> Any:
        self.calls += 1
        return self.load()


@pytest.fixture(scope="module", autouse=True)
def _sweep() -> Any:
    yield
    shutil.rmtree(onnx_store.home() / "onnx", ignore_errors=True)
