"""Every test gets a home and caches of its own; tests marked `weights` get the real weights, or say why not.

This is done by hooks and not by an autouse fixture, so that fixtures of any scope see the right place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

REAL_HOME_KEY = pytest.StashKey[dict[str, str | None]]()

# HOME itself is left alone: VidPrompter and the model libraries ask for these first.
_PLACES = {
    "VIDPROMPTER_HOME": "vidprompter",
    "XDG_CACHE_HOME": "cache",
    "XDG_CONFIG_HOME": "config",
    "XDG_DATA_HOME": "data",
    "HF_HOME": "hub",
}


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REAL_HOME_KEY] = {name: os.environ.get(name) for name in _PLACES}
    os.environ["HF_HUB_OFFLINE"] = "1"  # no test may reach for a model hub
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see the Makefile; read when torch is loaded


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    real = item.config.stash[REAL_HOME_KEY]
    if item.get_closest_marker("weights"):
        _put(real)
        missing = missing_weights()
        if missing:
            pytest.skip(f"built-in weights are not here: {missing}")
    else:
        base = Path(item.config._tmp_path_factory.getbasetemp()) / "home"  # type: ignore[attr-defined]
        _put({name: str(base / folder) for name, folder in _PLACES.items()})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`slow` and `gpu` tests are named as skipped, with what runs them, unless -m asks for them."""
    asked = config.option.markexpr
    for item in items:
        if item.get_closest_marker("slow") and "slow" not in asked:
            item.add_marker(pytest.mark.skip(reason="slow: minutes; run with -m slow"))
        if item.get_closest_marker("gpu") and not has_gpu():
            item.add_marker(pytest.mark.skip(reason="gpu: no CUDA device here"))


@lru_cache(maxsize=1)
def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session", autouse=True)
def _environment_comes_back(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    _put(request.config.stash[REAL_HOME_KEY])


@lru_cache(maxsize=1)
def missing_weights() -> str:
    """Why tests marked `weights` cannot run, empty when all is here. Any other error is a failure."""
    from models.errors import WeightsCorrupt, WeightsMissing
    from models.fetching import find

    try:
        find("builtin")
    except (WeightsMissing, WeightsCorrupt) as error:
        return str(error)
    return ""


def _put(places: dict[str, str | None]) -> None:
    for name, value in places.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
