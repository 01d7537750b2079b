"""The written model: the same bytes every time, damage is seen, and it computes what torch does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from models.errors import WeightsCorrupt
from models.smollm2.int8_blocks import int8_blocks
from models.smollm2.packed import ABOUT, GRAPH, WEIGHTS, open_packed
from tests.vidprompter.engines.drawers.tiny import tiny_config, tiny_model, write_tiny
from vidprompter.engines.drawers.onnx_memory import DecoderMemory

TOKENS = [5, 9, 30, 2, 77, 41, 8]


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    write_tiny(tmp_path / "a")
    write_tiny(tmp_path / "b")
    for name in (GRAPH, WEIGHTS, ABOUT):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("name", [GRAPH, WEIGHTS, ABOUT])
def test_damage_is_seen(tmp_path: Path, name: str) -> None:
    write_tiny(tmp_path)
    whole = (tmp_path / name).read_bytes()
    changed = whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
    for damage in (changed, whole[:-1], b"") if name != ABOUT else (whole[:-9], b"{}", b"[1]"):
        (tmp_path / name).write_bytes(damage)
        with pytest.raises(WeightsCorrupt):
            open_packed(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(WeightsCorrupt, match=name):
        open_packed(tmp_path)


def test_logits_are_those_of_torch(tmp_path: Path) -> None:
    """Up to the rounding of matrices, which torch gets too, and of what they are multiplied with, which it does not."""
    packed = write_tiny(tmp_path)
    rounded = type(tiny_model())(tiny_model().config).eval()
    rounded.load_state_dict(
        {
            name: torch.from_numpy(int8_blocks(t.numpy()).rows(np.arange(len(t)))) if t.ndim == 2 else t
            for name, t in tiny_model().state_dict().items()
        }
    )
    with torch.inference_mode():
        expected = rounded(torch.tensor([TOKENS])).logits[0].numpy()
    session = onnxruntime.InferenceSession(str(packed.graph), providers=["CPUExecutionProvider"])
    memory = DecoderMemory(packed.shape, 1, len(TOKENS))
    x = packed.embedding.rows(np.array(TOKENS))
    memory.read_context(session, 0, x[:3])
    got = [memory.logits[0, 0].copy()]
    for token in x[3:]:
        memory.step(session, token[None])
        got.append(memory.logits[0, 0].copy())
    off = np.stack(got) - expected[2:]
    assert np.sqrt((off**2).mean()) < 0.03 * expected.std() and np.abs(off).max() < 0.1 * expected.std()
    assert packed.shape.vocab_size == tiny_config()["vocab_size"]
