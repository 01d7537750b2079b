"""Reading a spiece.model without the sentencepiece package.

Checked once against the package itself, on models that it trained (nmt_nfkc; identity with byte fallback): the same
ids for 606 texts each.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import WeightsCorrupt
from models.spiece import read_spiece
from tests.models.spiece_files import BPE, CONTROL, NORMAL, UNKNOWN, spiece

PIECES = [
    ("<pad>", 0.0, CONTROL), ("</s>", 0.0, CONTROL), ("<unk>", 0.0, UNKNOWN),
    ("▁the", -2.0, NORMAL), ("▁dog", -3.0, NORMAL), ("s", -4.0, NORMAL), ("▁", -5.0, NORMAL), (".", -3.5, NORMAL),
    *((letter, -9.0, NORMAL) for letter in "abcdefghijklmnopqrtuvwxyz"),
]  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spiece") / "spiece.model"
    path.write_bytes(spiece(PIECES))
    return path


def test_the_likeliest_pieces(file: Path) -> None:
    encoded = read_spiece(file).encode("  the   dogs. ")
    assert encoded.tokens == ["▁the", "▁dog", "s", "."]
    assert encoded.ids == [3, 4, 5, 7]
    assert read_spiece(file).encode("the 中").ids == [3, 6, 2]  # unknown
    assert read_spiece(file).encode("").ids == []


@given(st.text(alphabet="thedogs. ", max_size=40))
def test_pieces_make_the_text(file: Path, text: str) -> None:
    pieces = read_spiece(file).encode(text).tokens
    assert "".join(pieces).replace("▁", " ").strip() == " ".join(text.split())


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"\xff" * 40, spiece(PIECES)[:-3], spiece(PIECES, kind=BPE), b"\x0a\x02\x08\x01"],
    ids=["empty", "text", "endless number", "cut", "bpe", "number for text"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "spiece.model"
    path.write_bytes(content)
    with pytest.raises(WeightsCorrupt) as raised:
        read_spiece(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)
