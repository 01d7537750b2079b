"""The network itself: its savings change nothing, Long-CLIP's positions, and the export to ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clip.config import ClipConfig, Tower
from models.clip.network import ClipNetwork, stretch_positions

TOWER = Tower(64, 2, 2, 128)
CONFIG = ClipConfig(
    32, 16, TOWER, TOWER, embed_dim=16, context=248, kept_positions=20, vocab_size=100, end_id=99
)


@pytest.fixture(scope="module")
def network() -> ClipNetwork:
    return filled(ClipNetwork(CONFIG))


def filled(network: ClipNetwork) -> ClipNetwork:
    numbers = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=numbers)
    return network.eval().requires_grad_(False)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 30), st.integers(0, 99))
def test_what_stands_behind_the_end_changes_nothing(lengths: list[int], more: int, padding: int) -> None:
    network = filled(ClipNetwork(CONFIG))
    rows = [[(7 * n + length) % 99 for n in range(length - 1)] + [99] for length in lengths]
    longest = max(lengths)
    ends = torch.tensor([length - 1 for length in lengths])
    tight = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    loose = torch.tensor([row + [padding] * (longest + more - len(row)) for row in rows])
    together = network.text_features(tight, ends)
    assert torch.allclose(together, network.text_features(loose, ends), atol=1e-6)
    for row, end, one in zip(rows, ends, together, strict=True):
        assert torch.allclose(one, network.text_features(torch.tensor([row]), end[None])[0], atol=1e-6)


def test_features_have_length_one_and_stay_float32_in_half_precision(network: ClipNetwork) -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8))
    for dtype in (torch.float32, torch.bfloat16):
        found = network.to(dtype).image_features(pixels)
        assert found.dtype == torch.float32
        assert torch.allclose(found.norm(dim=-1), torch.ones(3), atol=1e-6)
    filled(network.to(torch.float32))


def test_stretched_positions_follow_the_published_rule() -> None:
    table = torch.randn(77, 8, generator=torch.Generator().manual_seed(1))
    found = stretch_positions(table)
    assert found.shape == (248, 8)
    assert torch.equal(found[:20], table[:20])
    for n in range(20, 76):  # each step in four
        for part in range(4):
            want = (4 - part) / 4 * table[n] + part / 4 * table[n + 1]
            assert torch.allclose(found[20 + 4 * (n - 20) + part], want, atol=1e-6)
    for part in range(4):  # the last goes on as the step before it
        assert torch.allclose(found[244 + part], table[76] + part / 4 * (table[76] - table[75]), atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("patch_size", 0),
        ("image_size", 33),
        ("activation", "relu"),
        ("kept_positions", 248),
        ("end_id", 100),
        ("norm_eps", 0.0),
        ("vision", {"width": 64}),
        ("text", {"width": 64, "layers": 2, "heads": 3, "hidden": 128}),
    ],
)
def test_settings_that_no_network_has_are_refused(field: str, value: object) -> None:
    row = CONFIG.to_json()
    assert ClipConfig.from_json(row) == CONFIG
    with pytest.raises(ValueError, match=r"\w"):
        ClipConfig.from_json({**row, field: value})


class Texts(torch.nn.Module):
    def __init__(self, network: ClipNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        return self.network.text_features(ids, ends)


@pytest.mark.filterwarnings("ignore")
def test_the_text_tower_exports_to_onnx_with_any_batch_and_length(
    network: ClipNetwork, tmp_path: Path
) -> None:
    import onnxruntime as ort

    rows, length = torch.export.Dim("rows", min=1, max=4096), torch.export.Dim("length", min=2, max=248)
    example = (torch.ones(3, 11, dtype=torch.int64), torch.tensor([3, 10, 7]))
    program = torch.onnx.export(
        Texts(network), example, dynamo=True, dynamic_shapes=({0: rows, 1: length}, {0: rows}), verbose=False
    )
    assert program is not None
    program.save(tmp_path / "text.onnx")
    session = ort.InferenceSession(tmp_path / "text.onnx", providers=["CPUExecutionProvider"])
    for count, long in ((1, 2), (5, 248)):
        ids = torch.arange(count * long).reshape(count, long) % 99
        ends = torch.arange(count) % long
        [found] = session.run(None, {"ids": ids.numpy(), "ends": ends.numpy()})
        assert np.abs(found - network.text_features(ids, ends).numpy()).max() < 1e-4
