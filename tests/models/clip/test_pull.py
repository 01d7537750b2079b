"""`vidprompter models pull long-clip-l`: a pickle of the hub, fetched by name, checked, and made safetensors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.clip.load import load_clip
from models.entry import HubSource
from models.errors import WeightsCorrupt, WeightsMissing
from models.fetching import fetch, find
from models.registry import registry
from tests.models.clip import tiny
from tests.models.fetching.hub_server import Hub, serve
from tests.models.hub_files import write_snapshot

NAME = "long-clip-l"


def source() -> HubSource:
    found = registry().get(NAME).source
    assert isinstance(found, HubSource) and found.commit
    return found


def models(folder: Path, hub: Hub, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    places = {"VIDPROMPTER_HOME": str(folder / "home"), "HF_HUB_CACHE": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, "-m", "batch.entry", "models", *arguments],
        env={**os.environ, **hub.settings(**places), **settings},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return tiny.write_long_clip(tmp_path_factory.mktemp("pull") / "longclip-L.pt").read_bytes()


def hub_with(content: bytes) -> Hub:
    files = {
        "longclip-L.pt": content,
        "README.md": b"# card",
        "other.pt": b"another pickle",
        "code.py": b"print()",
    }
    return Hub(source().repo, {str(source().commit): files})


def test_it_is_fetched_converted_found_and_needs_the_hub_no_more(
    weights: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(hub_with(weights)) as hub:
        pulled = models(tmp_path, hub, "pull", NAME)
        assert pulled.returncode == 0, pulled.stderr
        assert hub.fetched() == {"longclip-L.pt"}
        assert f"to fetch: {NAME}, {len(weights) / 1e6:,.1f} MB" in pulled.stderr
        assert f"{NAME}: preparing" in pulled.stderr
        folder = Path(pulled.stdout.strip())
        assert sorted(file.name for file in (folder / "clip.v1").iterdir()) == [
            "clip.json",
            "merges.txt",
            "model.safetensors",
            "vocab.json",
        ]
        hub.asked.clear()
        off = {"HF_HUB_OFFLINE": "1"}
        assert models(tmp_path, hub, "path", NAME, "--verify", **off).stdout == pulled.stdout
        monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        (folder / "clip.v1" / "model.safetensors").write_bytes(b"short")
        with pytest.raises(WeightsCorrupt, match="is damaged"):
            find(NAME)
        assert fetch(NAME) == folder == find(NAME, verify=True)  # made again from what was fetched
        shutil.rmtree(tmp_path / "cache")
        rows = {row["name"]: row for row in json.loads(models(tmp_path, hub, "list", "--json", **off).stdout)}
        assert (rows[NAME]["status"], rows[NAME]["kind"]) == ("here", "evaluator")
        assert rows["videoclip-xl"]["status"] == "missing"
        assert hub.asked == []
    encoder = load_clip("long-clip", backend="torch", device="cpu")
    card = encoder.card
    assert (card.model, card.revision) == (NAME, f"{source().repo}@{str(source().commit)[:12]}")
    assert card.max_tokens == 248
    assert np.isfinite(encoder.encode_texts([encoder.tokenizer.encode("a cat")])).all()


def test_what_is_no_whole_long_clip_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    tensors = tiny.clip_tensors(context=248)
    del tensors["ln_final.bias"]
    bad = tiny.save_pickle(tensors, tmp_path / "bad.pt").read_bytes()
    write_snapshot(tmp_path / "cache", source().repo, {"longclip-L.pt": bad}, commit=str(source().commit))
    with pytest.raises(WeightsMissing, match="fetched, but not converted yet; run `vidprompter models pull"):
        find(NAME)
    with pytest.raises(
        WeightsCorrupt, match=r"'ln_final\.bias'"
    ):  # no network is needed for what lies in the cache
        fetch(NAME)
    assert not list((tmp_path / "home").rglob("clip.json"))


def test_a_file_that_went_away_is_told(tmp_path: Path) -> None:
    hub = Hub(source().repo, {str(source().commit): {"README.md": b""}})
    with serve(hub):
        pulled = models(tmp_path, hub, "pull", NAME)
    assert pulled.returncode == 1 and "no file 'longclip-L.pt'" in pulled.stderr
