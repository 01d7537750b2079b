"""Tiny checkpoints, written once for all tests of this folder; no test writes into them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.clip import tiny

WIDTH = 128  # two heads


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with open_clip/, open_clip_gelu/, transformers/, longclip-L.pt and VideoCLIP-XL.bin."""
    folder = tmp_path_factory.mktemp("clip")
    tiny.write_clip(folder / "open_clip", width=WIDTH)
    tiny.write_clip(folder / "open_clip_gelu", width=WIDTH, quick_gelu=False, tokenizer=False, seed=3)
    tiny.write_clip(folder / "transformers", "transformers", width=WIDTH)
    tiny.write_long_clip(folder / "longclip-L.pt", width=WIDTH)
    tiny.write_videoclip_xl(folder / "VideoCLIP-XL.bin", width=WIDTH)
    return folder
