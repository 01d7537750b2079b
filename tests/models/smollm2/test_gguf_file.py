"""Our GGUF reader, against worked numbers and against the `gguf` package."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import WeightsCorrupt
from models.smollm2.gguf_file import _q4_1, _q8_0, read_gguf
from tests.models.smollm2.tiny_gguf import metadata, shapes, write_gguf


def test_q8_0_by_hand() -> None:
    block = struct.pack("<e", 0.5) + bytes([2, 255]) + bytes(30)  # 255 is -1
    values = _q8_0(np.frombuffer(block, np.uint8).reshape(1, 34))
    assert values[0, :3].tolist() == [1.0, -0.5, 0.0]


def test_q4_1_by_hand() -> None:
    block = struct.pack("<ee", 0.5, -1.0) + bytes([0x31]) + bytes(15)
    values = _q4_1(np.frombuffer(block, np.uint8).reshape(1, 20))
    assert values[0, 0] == 0.5 * 1 - 1.0  # low half: value 0
    assert values[0, 16] == 0.5 * 3 - 1.0  # high half: value 16
    assert values[0, 1] == -1.0


@given(st.binary(min_size=20, max_size=20), st.binary(min_size=34, max_size=34))
def test_blocks_are_as_the_gguf_package_reads_them(four: bytes, eight: bytes) -> None:
    for data, ours, theirs in (
        (four, _q4_1, gguf.GGMLQuantizationType.Q4_1),
        (eight, _q8_0, gguf.GGMLQuantizationType.Q8_0),
    ):
        block = np.frombuffer(data, np.uint8).reshape(1, -1)
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(ours(block), gguf.quants.dequantize(block, theirs))


def test_a_whole_file_is_as_the_gguf_package_reads_it(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    ours, theirs = read_gguf(path), gguf.GGUFReader(path)
    wanted = metadata()
    assert ours.metadata.keys() == wanted.keys()
    for key, value in wanted.items():
        assert ours.metadata[key] == (pytest.approx(value) if isinstance(value, float) else value)
    assert {name: make().shape for name, make in ours.tensors.items()} == shapes(
        len(wanted["tokenizer.ggml.tokens"])
    )
    for tensor in theirs.tensors:
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        np.testing.assert_array_equal(
            ours.tensors[tensor.name](), expected.reshape(ours.tensors[tensor.name]().shape)
        )


@given(share=st.floats(0, 0.999))
def test_a_file_cut_short_is_refused(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = write_gguf(folder / "tiny.gguf").read_bytes()
    cut = folder / "cut.gguf"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsCorrupt, match=r"cut\.gguf"):
        read_gguf(cut)


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK\3\4" + bytes(100))
    with pytest.raises(WeightsCorrupt, match="not a GGUF file of version 3"):
        read_gguf(other)
    other.write_bytes(b"GGUF" + struct.pack("<I", 2) + bytes(100))
    with pytest.raises(WeightsCorrupt, match="not a GGUF file of version 3"):
        read_gguf(other)
