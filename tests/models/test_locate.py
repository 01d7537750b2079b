"""What a user writes after --model is found, or the message says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import UnknownModel, WeightsMissing
from models.fetching.pins import Pin, write_pin
from models.fingerprint import local_revision
from models.locate import where
from tests.models.hub_files import COMMIT, OTHER, model_files, safetensors, write_files, write_snapshot

REPO = "someone/tiny-video-model"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "home"))
    return tmp_path / "cache"


def test_a_folder(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "mine", model_files())
    found = where(folder)
    assert (found.folder, found.name, found.kind, found.origin) == (folder, "mine", "transformers", "folder")
    assert found.revision == local_revision(folder) == where(str(folder)).revision
    assert found.revision.startswith("local+") and len(found.revision) == len("local+") + 12


def test_a_vila_folder(tmp_path: Path) -> None:
    parts = ("llm", "vision_tower", "mm_projector")
    files = {f"{part}/{name}": content for part in parts for name, content in model_files().items()}
    folder = write_files(tmp_path / "vila", {"config.json": b"{}", **files})
    assert where(folder).kind == "vila"
    for file in (folder / "mm_projector").iterdir():
        file.unlink()
    (folder / "mm_projector").rmdir()
    with pytest.raises(UnknownModel, match="has no mm_projector/"):
        where(folder)


@pytest.mark.parametrize(
    "changed", ["config.json", "tokenizer.json", "model.safetensors", "chat_template.jinja"]
)
def test_the_revision_of_a_folder_follows_its_files(tmp_path: Path, changed: str) -> None:
    one = write_files(tmp_path / "one", model_files())
    two = write_files(tmp_path / "two", model_files())
    assert local_revision(one) == local_revision(two)
    (two / changed).write_bytes(safetensors(b"\1\2\3\5"))  # a value of the weights, not their size
    assert local_revision(one) != local_revision(two)


def test_what_is_no_part_of_the_model_leaves_the_revision(tmp_path: Path) -> None:
    folder = write_files(tmp_path, model_files())
    before = local_revision(folder)
    write_files(folder, {"README.md": b"changed", ".cache/x.json": b"{}", "outputs.mp4": b"x"})
    assert local_revision(folder) == before


def test_a_hub_id_in_the_cache(cache: Path) -> None:
    snapshot = write_snapshot(cache, REPO, model_files())
    for text in (REPO, f"{REPO}@main", f"{REPO}@{COMMIT}", f"{REPO}@{COMMIT[:8]}"):
        found = where(text)
        assert (found.folder, found.name, found.origin) == (snapshot, text, "hub")
        assert found.revision == f"{REPO}@{COMMIT[:12]}"
    with pytest.raises(WeightsMissing, match=f"run `vidprompter models pull {REPO}@v2`"):
        where(f"{REPO}@v2")


def test_our_pin_goes_before_what_the_cache_calls_main(cache: Path) -> None:
    ours = write_snapshot(cache, REPO, model_files())
    theirs = write_snapshot(cache, REPO, model_files(b"other"), commit=OTHER)  # moves refs/main
    assert where(REPO).folder == theirs
    write_pin(REPO, "main", Pin(COMMIT, {name: len(content) for name, content in model_files().items()}))
    assert where(REPO).folder == ours


def test_an_interrupted_download_is_no_model(cache: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    files = {
        "config.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        "model-1.safetensors": safetensors(),
    }
    snapshot = write_snapshot(cache, REPO, files)
    with pytest.raises(
        WeightsMissing, match=r"not whole: model-2\.safetensors is not there; run `vidprompter"
    ):
        where(REPO)
    (snapshot / "model-2.safetensors").write_bytes(safetensors())
    assert where(REPO).folder == snapshot
    write_pin(REPO, "main", Pin(COMMIT, {"model-2.safetensors": 1}))
    with pytest.raises(WeightsMissing, match="instead of 1"):
        where(REPO)


def test_a_hub_id_that_is_not_here(cache: Path) -> None:
    write_snapshot(cache, REPO, model_files())
    with pytest.raises(
        WeightsMissing, match="run `vidprompter models pull someone/tiny-video-modle`; did you mean"
    ):
        where("someone/tiny-video-modle")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("bulitin", "did you mean builtin"),
        ("???", "there are: .*builtin"),
        ("./nothing", "no folder './nothing'"),
        ("a/b/c", "no folder 'a/b/c'"),
        ("example-clips", "writes no prompts; those that do: .*builtin"),
        (str(Path(__file__)), "is a file; a model is a folder"),
        (str(Path(__file__).parent), "holds no model"),
        ("", "no model called ''"),
    ],
)
def test_what_is_no_model(cache: Path, text: str, reason: str) -> None:
    with pytest.raises(UnknownModel, match=reason) as raised:
        where(text)
    assert "\n" not in str(raised.value)


def test_an_adapter_alone_is_no_model(tmp_path: Path) -> None:
    write_files(tmp_path, {"adapter_config.json": b"{}", "adapter_model.safetensors": safetensors()})
    with pytest.raises(UnknownModel, match="LoRA adapter alone"):
        where(tmp_path)


def test_builtin_is_missing_on_a_fresh_machine(cache: Path) -> None:
    with pytest.raises(WeightsMissing, match="vidprompter models pull"):
        where("builtin")


@pytest.mark.weights
def test_builtin() -> None:
    found = where("builtin")
    assert (found.kind, found.origin) == ("builtin", "registry")
    assert found.revision.startswith("shipped+")


def test_neither_torch_nor_the_hub_library_is_needed() -> None:
    code = "import sys, models.locate; print(sorted({'torch', 'huggingface_hub', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
