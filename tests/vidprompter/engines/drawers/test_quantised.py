"""The 8-bit model of base and adapter: made once, by one process, and again when it is damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models.smollm2 import packed
from tests.vidprompter.engines.drawers.tiny import tiny_config, tiny_model, weights_of
from vidprompter.engines.drawers import quantised
from vidprompter.errors import ModelError, WeightsMissing

# Two of these run at once; each says how often it made the model itself.
MAKER = """
import sys, time
from pathlib import Path
from models.smollm2 import packed
from tests.vidprompter.engines.drawers.tiny import tiny_config, tiny_model, weights_of
from vidprompter.engines.drawers import quantised

made = []
def weights(adapter):
    made.append(adapter)
    time.sleep(0.5)
    return tiny_config(), weights_of(tiny_model())
quantised.merged_weights = weights
model = quantised.quantised_model(Path(sys.argv[1]))
print(len(made), model.shape.hidden_size)
"""


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "home"))
    path = tmp_path / "adapter.safetensors"
    path.write_bytes(b"an adapter")
    return path


@pytest.fixture
def makings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Each making's adapter; a tiny model stands for the real one."""
    made: list[Path] = []

    def weights(adapter: Path) -> object:
        made.append(adapter)
        return tiny_config(), weights_of(tiny_model())

    monkeypatch.setattr(quantised, "merged_weights", weights)
    return made


def test_it_is_made_once_for_each_adapter(adapter: Path, makings: list[Path]) -> None:
    first = quantised.quantised_model(adapter)
    assert quantised.quantised_model(adapter).folder == first.folder and len(makings) == 1
    assert first.folder.name.endswith(f"+{packed.FORMAT}") and "bcc81830d10c" in first.folder.name
    adapter.write_bytes(b"another adapter")
    assert quantised.quantised_model(adapter).folder != first.folder and len(makings) == 2


def test_a_damaged_one_is_made_again(adapter: Path, makings: list[Path]) -> None:
    weights = quantised.quantised_model(adapter).folder / packed.WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    quantised.quantised_model(adapter)
    assert len(makings) == 2 and weights.read_bytes() == whole


def test_what_a_killed_process_left_is_swept(adapter: Path, makings: list[Path]) -> None:
    left = quantised.quantised_folder(adapter).parent / ".making-left"
    left.mkdir(parents=True)
    (left / packed.WEIGHTS).write_bytes(b"half")
    folder = quantised.quantised_model(adapter).folder
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, ".lock"}


def test_two_processes_share_the_work(adapter: Path) -> None:
    both = [
        subprocess.Popen([sys.executable, "-c", MAKER, str(adapter)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = sorted(process.communicate(timeout=120)[0].split()[0] for process in both)
    assert said == ["0", "1"]


def test_a_folder_that_cannot_be_written_is_named(
    adapter: Path, makings: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDPROMPTER_HOME", str(adapter))  # a file
    with pytest.raises(ModelError, match=r"adapter\.safetensors.*VIDPROMPTER_HOME"):
        quantised.quantised_model(adapter)


def test_a_missing_base_says_what_to_run(adapter: Path) -> None:
    with pytest.raises(WeightsMissing, match="vidprompter models pull smollm2-135m-instruct"):
        quantised.quantised_model(adapter)
    assert not list(quantised.quantised_folder(adapter).parent.glob(".making-*"))
