"""One tiny checkpoint for all tests of a module that only read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.models.vila.tiny import write_tiny_vila


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint like the 8B; not to be written to."""
    folder = tmp_path_factory.mktemp("vila") / "checkpoint"
    write_tiny_vila(folder)
    return folder


@pytest.fixture(scope="session")
def loaded(tiny: Path) -> tuple[Any, Any]:
    """Model and processor of `tiny`, float32 on the CPU."""
    import torch

    from models.vila.load import load_vila

    return load_vila(tiny, dtype=torch.float32, device="cpu")
