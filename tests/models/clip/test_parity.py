"""Our numbers against open_clip, transformers, and a second reading of Long-CLIP and VideoCLIP-XL: 1e-4 in float32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.clip.load import load_clip
from models.clip.preprocess import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD
from models.clip.torch_encoder import TorchEncoder
from tests.models.clip import reference, tiny
from tests.models.clip.conftest import WIDTH

TOLERANCE = 1e-4
COUNTS = (1, 3, 7)
WORDS = "a small brown dog runs over wet grass while the camera pans left, slowly and low".split()


def texts() -> list[str]:
    """Of 1 to about 300 tokens, uneven."""
    return [" ".join((WORDS * 20)[:length]) for length in (0, 1, 2, 9, 30, 74, 75, 76, 120, 246, 247, 300)]


def pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, tiny.SIDE, tiny.SIDE, 3), np.uint8)


def load(kind: str, where: Path) -> TorchEncoder:
    encoder = load_clip(kind, where, backend="torch", device="cpu", batch=2)
    assert isinstance(encoder, TorchEncoder)
    return encoder


def cut(encoder: Any, lines: list[str]) -> list[list[int]]:
    return [encoder.tokenizer.cut(encoder.tokenizer.encode(line), encoder.card.max_tokens) for line in lines]


def padded(rows: list[list[int]], length: int) -> torch.Tensor:
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["open_clip", "open_clip_gelu"])
def test_clip_against_open_clip(checkpoints: Path, name: str) -> None:
    import open_clip

    theirs, _, _ = open_clip.create_model_and_transforms(f"local-dir:{checkpoints / name}")
    theirs.eval()
    ours = load("clip", checkpoints / name)
    for count in COUNTS:
        frames = pixels(count)
        want = theirs.encode_image(reference.normalised(frames, CLIP_MEAN, CLIP_STD), normalize=True)
        assert np.abs(ours.encode_images(frames) - want.numpy()).max() < TOLERANCE
    want = theirs.encode_text(open_clip.tokenize(texts()), normalize=True).numpy()
    got = ours.encode_texts(cut(ours, texts()))
    assert np.abs(got - want).max() < TOLERANCE
    assert np.abs(got @ got.T - np.eye(len(got))).max() > 0.05  # or the comparison shows nothing
    for count in COUNTS:
        some = cut(ours, texts()[:count])
        assert np.abs(ours.encode_texts(some) - want[:count]).max() < TOLERANCE


def test_clip_against_transformers(checkpoints: Path) -> None:
    from transformers import CLIPModel, CLIPProcessor

    folder = checkpoints / "transformers"
    theirs, ours = CLIPModel.from_pretrained(folder).eval(), load("clip", folder)
    processor = CLIPProcessor.from_pretrained(folder)
    for count in COUNTS:
        frames = pixels(count)
        want = theirs.get_image_features(reference.normalised(frames, CLIP_MEAN, CLIP_STD))
        assert np.abs(ours.encode_images(frames) - unit(want)).max() < TOLERANCE
    tokens = processor(
        text=texts(), padding="max_length", truncation=True, max_length=77, return_tensors="pt"
    )
    want = unit(theirs.get_text_features(**tokens))
    assert [row[: row.index(49407) + 1] for row in tokens["input_ids"].tolist()] == cut(ours, texts())
    assert np.abs(ours.encode_texts(cut(ours, texts())) - want).max() < TOLERANCE


def unit(found: Any) -> np.ndarray:
    found = found if isinstance(found, torch.Tensor) else found.pooler_output
    return (found / found.norm(dim=-1, keepdim=True)).numpy()


def test_long_clip_against_a_second_reading(checkpoints: Path) -> None:
    tensors = tiny.clip_tensors(width=WIDTH, context=248)
    ours = load("long-clip", checkpoints / "longclip-L.pt")
    assert (ours.card.max_tokens, ours.card.video_frames) == (248, None)
    for count in COUNTS:
        frames = pixels(count)
        want = reference.image_features(tensors, reference.normalised(frames, CLIP_MEAN, CLIP_STD))
        assert np.abs(ours.encode_images(frames) - want.numpy()).max() < TOLERANCE
    for count in (*COUNTS, len(texts())):
        rows = cut(ours, texts()[-count:])
        want = reference.text_features(tensors, padded(rows, 248))
        assert np.abs(ours.encode_texts(rows) - want.numpy()).max() < TOLERANCE
    assert max(len(row) for row in rows) == 248


def test_videoclip_xl_against_a_second_reading(checkpoints: Path) -> None:
    tensors = tiny.videoclip_tensors(width=WIDTH)
    ours = load("videoclip-xl", checkpoints / "VideoCLIP-XL.bin")
    assert (ours.card.max_tokens, ours.card.video_frames) == (248, 8)
    for count in COUNTS:
        for frames in (8, 1):
            clips = pixels(count, frames)
            want = reference.video_features(tensors, reference.normalised(clips, IMAGENET_MEAN, IMAGENET_STD))
            assert np.abs(ours.encode_videos(clips) - want.numpy()).max() < TOLERANCE
    rows = cut(ours, texts())
    want = reference.text_features(tensors, padded(rows, 248), prefix="text_model.")
    assert np.abs(ours.encode_texts(rows) - want.numpy()).max() < TOLERANCE


def test_time_matters_to_the_video_tower(checkpoints: Path) -> None:
    ours = load("videoclip-xl", checkpoints / "VideoCLIP-XL.bin")
    clips = pixels(1, 8)
    assert np.abs(ours.encode_videos(clips) - ours.encode_videos(clips[:, ::-1])).max() > 1e-3
