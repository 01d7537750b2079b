"""EfficientNet-Lite: the ONNX graph against the torch network, sizes against published facts, weights checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.efficientnet_lite.config import (
    LiteConfig,
    Stage,
    blocks_of,
    check_state,
    read_config,
    scaled_channels,
    tensor_shapes,
)
from models.efficientnet_lite.convert import folded, prepare, read_state_dict, to_onnx
from models.errors import UnknownModel, WeightsCorrupt

SMALL = LiteConfig(
    width=1.0,
    depth=1.0,
    image_size=33,
    classes=7,
    stem_channels=8,
    head_channels=24,
    mean=(127.0, 120.0, 110.0),
    std=(128.0, 64.0, 60.0),
    stages=(Stage(1, 3, 1, 1, 8), Stage(2, 5, 2, 3, 16), Stage(1, 3, 1, 6, 16)),
)


def random_state(config: LiteConfig, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Weights that neither vanish nor explode, with batch norms that do something."""
    rng = np.random.default_rng(seed)
    state: dict[str, NDArray[Any]] = {}
    for name, shape in tensor_shapes(config).items():
        if name.endswith("num_batches_tracked"):
            state[name] = np.array(1, np.int64)
        elif name.endswith("running_var") or (name.endswith("weight") and "_bn" in name):
            state[name] = rng.uniform(0.5, 2.0, shape).astype(np.float32)
        else:
            spread = 1 / np.sqrt(max(int(np.prod(shape[1:])), 1))
            state[name] = (rng.standard_normal(shape) * spread).astype(np.float32)
    return state


def both(config: LiteConfig, state: dict[str, NDArray[Any]], pixels: NDArray[np.uint8]) -> tuple[Any, Any]:
    """Probabilities by ONNX Runtime and by torch."""
    import onnxruntime
    import torch

    from models.efficientnet_lite.build import build_efficientnet_lite

    network = build_efficientnet_lite(
        config, {name: torch.from_numpy(np.array(a)) for name, a in state.items()}
    )
    session = onnxruntime.InferenceSession(to_onnx(state, config), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels).float()).softmax(1).numpy()
    return session.run(None, {"pixels": pixels})[0], expected


@settings(max_examples=12, deadline=None)
@given(
    size=st.integers(9, 40), batch=st.integers(1, 3), kernel=st.sampled_from([3, 5]),
    stride=st.sampled_from([1, 2]), seed=st.integers(0, 99),
)  # fmt: skip
def test_onnx_agrees_with_torch(size: int, batch: int, kernel: int, stride: int, seed: int) -> None:
    config = replace(SMALL, image_size=size, stages=(*SMALL.stages, Stage(2, kernel, stride, 2, 8)))
    pixels = np.random.default_rng(seed).integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    found, expected = both(config, random_state(config, seed), pixels)
    assert np.abs(found - expected).max() < 1e-4
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_same_padding_is_tensorflows() -> None:
    from models.efficientnet_lite.blocks import same_padding

    assert [same_padding(size, 3, 2) for size in (260, 130, 65, 33)] == [1, 1, 2, 2]
    assert same_padding(7, 5, 1) == 4
    assert same_padding(5, 1, 2) == 0


def test_a_batch_norm_folds_into_its_convolution() -> None:
    state: dict[str, NDArray[Any]] = {
        "c.weight": np.full((1, 1, 1, 1), 3.0, np.float32),
        "n.weight": np.array([2.0], np.float32),
        "n.bias": np.array([5.0], np.float32),
        "n.running_mean": np.array([1.0], np.float32),
        "n.running_var": np.array([4.0 - 1e-3], np.float32),
    }
    weight, bias = folded(state, "c", "n")
    assert weight.ravel()[0] == pytest.approx(3.0)  # 3 * 2 / sqrt(4)
    assert bias[0] == pytest.approx(4.0)  # 5 - 1 * 2 / sqrt(4)


def test_lite2_has_the_published_sizes() -> None:
    config = read_config("efficientnet-lite2")
    blocks = blocks_of(config)
    assert len(blocks) == 21
    assert [b.channels_out for b in blocks if b.stride == 2] == [24, 48, 88, 208]
    assert blocks[-1].channels_out == 352
    shapes = tensor_shapes(config)
    assert len(shapes) == 386
    learnt = sum(
        int(np.prod(shape))
        for name, shape in shapes.items()
        if "running" not in name and "tracked" not in name
    )
    assert learnt == pytest.approx(6.1e6, rel=0.01)  # the published table: 6.1 M parameters


def test_widths_are_rounded_to_eights_and_never_by_more_than_a_tenth() -> None:
    assert [scaled_channels(n, 1.1) for n in (16, 24, 40, 80, 112, 192, 320)] == [
        16,
        24,
        48,
        88,
        120,
        208,
        352,
    ]
    assert all(scaled_channels(n, w) >= 0.9 * n * w for n in range(8, 300, 4) for w in (0.5, 1.0, 1.1, 1.4))


@pytest.mark.parametrize(
    "path", sorted(Path("models/efficientnet_lite").glob("*.json")), ids=lambda path: path.stem
)
def test_every_size_that_ships_can_be_built(path: Path) -> None:
    import torch

    from models.efficientnet_lite.build import EfficientNetLite

    config = read_config(path.stem)
    with torch.device("meta"):
        network = EfficientNetLite(config)
    check_state({name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}, config)


def test_unknown_sizes_are_refused() -> None:
    with pytest.raises(UnknownModel, match="efficientnet-lite9"):
        read_config("efficientnet-lite9")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.pop("_blocks.1._bn2.bias"), r"lack '_blocks\.1\._bn2\.bias'"),
        (
            lambda s: s.update({"_fc.bias": np.zeros(8)}),
            r"'_fc\.bias' has shape \(8,\); the network needs \(7,\)",
        ),
        (
            lambda s: s.update({"_blocks.9.x": np.zeros(1)}),
            r"hold '_blocks\.9\.x', which the network has no place",
        ),
    ],
)
def test_wrong_weights_are_refused_by_name(change: Any, reason: str) -> None:
    import torch

    from models.efficientnet_lite.build import build_efficientnet_lite

    state = random_state(SMALL)
    change(state)
    with pytest.raises(WeightsCorrupt, match=reason):
        to_onnx(state, SMALL)
    with pytest.raises(WeightsCorrupt, match=reason):
        build_efficientnet_lite(SMALL, {name: torch.from_numpy(np.array(a)) for name, a in state.items()})


def test_the_same_weights_give_the_same_bytes() -> None:
    assert to_onnx(random_state(SMALL), SMALL) == to_onnx(random_state(SMALL), SMALL)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_file_that_runs_code_is_refused(tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "ran").touch, ())

    for name, data in (
        ("code.pth", pickle.dumps({"a": Evil()})),
        ("text.pth", b"not torch"),
        ("none.pth", b""),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(WeightsCorrupt, match=f"{name} is not a state dict"):
            read_state_dict(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.weights
def test_the_real_weights(tmp_path: Path) -> None:
    from models.fetching import find

    folder = find("efficientnet-lite2")
    source = next(folder.glob("*.pth"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 260, 260, 3), dtype=np.uint8)
    found, expected = both(read_config("efficientnet-lite2"), read_state_dict(source), pixels)
    assert np.abs(found - expected).max() < 1e-4
    (tmp_path / source.name).symlink_to(source)
    prepare(tmp_path)
    name = "efficientnet-lite2.v1.onnx"
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
