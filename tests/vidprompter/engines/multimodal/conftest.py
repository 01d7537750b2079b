from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.vila.tiny import write_tiny_vila
from tests.vidprompter.engines.multimodal.families import FAMILIES


@pytest.fixture(scope="session", params=[*FAMILIES, "vila"])
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny checkpoint of each family."""
    folder = tmp_path_factory.mktemp("families") / str(request.param)
    if request.param == "vila":
        write_tiny_vila(folder)
    else:
        FAMILIES[str(request.param)](folder)
    return folder


@pytest.fixture(scope="session")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of them, where the family does not matter."""
    return FAMILIES["llava_onevision"](tmp_path_factory.mktemp("one") / "llava_onevision")


@pytest.fixture(scope="session")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one whose positions have three axes."""
    return FAMILIES["qwen2_5_vl"](tmp_path_factory.mktemp("one") / "qwen2_5_vl")
