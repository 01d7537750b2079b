"""`vidprompter models pull` from a model hub on loopback, by the real command and the hub's own library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.fetching.hub_server import Hub, serve
from tests.models.hub_files import COMMIT, OTHER, model_files, safetensors

REPO = "someone/tiny-video-model"
FILES = {
    **model_files(),
    "README.md": b"---\nlicense: apache-2.0\n---\n",
    "LICENSE": b"terms",
    "pytorch_model.bin": b"a pickle",
    "modeling_tiny.py": b"print('code')",
    "onnx/model.onnx": b"x",
    ".gitattributes": b"x",
}
TAKEN = {*model_files(), "README.md", "LICENSE"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve(
        Hub(REPO, {COMMIT: FILES, OTHER: {**FILES, "config.json": b'{"model_type": "newer"}'}})
    ) as running:
        yield running


class Machine:
    """A machine of its own, whose only hub is the one on loopback."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.home, self.cache = folder / "home", folder / "cache"
        self.hub = hub

    def environment(self) -> dict[str, str]:
        own = {"VIDPROMPTER_HOME": str(self.home), "HF_HUB_CACHE": str(self.cache)}
        return {**os.environ, **self.hub.settings(**own)}

    def models(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "batch.entry", "models", *arguments],
            env=self.environment() | settings,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture
def machine(tmp_path: Path, hub: Hub) -> Machine:
    return Machine(tmp_path, hub)


def test_a_hub_id_is_pulled_found_listed_and_shown(machine: Machine) -> None:
    missing = machine.models("path", REPO)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert f"run `vidprompter models pull {REPO}`" in missing.stderr

    pulled = machine.models("pull", REPO)
    assert pulled.returncode == 0, pulled.stderr
    folder = Path(pulled.stdout.strip())
    assert {file.name for file in folder.iterdir()} == TAKEN
    assert machine.hub.fetched() == TAKEN  # neither pickles nor code were even asked for
    size = sum(len(FILES[name]) for name in TAKEN)
    assert f"to fetch: {REPO}, {size / 1e6:,.1f} MB ({REPO}@{COMMIT[:12]})" in pulled.stderr
    record = json.loads(next(machine.home.glob("hub/*.json")).read_text())
    assert record["main"] == {"commit": COMMIT, "files": {name: len(FILES[name]) for name in sorted(TAKEN)}}

    machine.hub.asked.clear()
    again = machine.models("pull", REPO, HF_HUB_OFFLINE="1")
    assert (again.stdout, again.stderr, machine.hub.asked) == (pulled.stdout, "", [])
    assert machine.models("path", REPO).stdout == pulled.stdout
    rows = {row["name"]: row for row in json.loads(machine.models("list", "--json").stdout)}
    assert rows[REPO]["status"] == "here" and rows[REPO]["bytes"] == size and rows[REPO]["pinned"]
    shown = machine.models("show", REPO).stdout
    assert f"{REPO}@{COMMIT[:12]}" in shown and str(folder) in shown


def test_main_is_kept_until_an_update(machine: Machine) -> None:
    first = machine.models("pull", REPO).stdout
    machine.hub.revisions["main"] = OTHER
    assert machine.models("pull", REPO).stdout == first
    updated = machine.models("pull", REPO, "--update")
    assert updated.stdout.strip().endswith(OTHER), updated.stderr
    assert machine.models("path", REPO).stdout == updated.stdout
    old = machine.models("path", f"{REPO}@{COMMIT}")  # the first is still there by its commit
    assert old.stdout == first


def test_a_revision_and_a_commit(machine: Machine) -> None:
    machine.hub.revisions["v2"] = OTHER
    assert machine.models("pull", f"{REPO}@v2").stdout.strip().endswith(OTHER)
    assert machine.models("pull", f"{REPO}@{COMMIT}").stdout.strip().endswith(COMMIT)
    assert machine.models("path", f"{REPO}@v2").stdout.strip().endswith(OTHER)


def big_weights(machine: Machine) -> bytes:
    big = safetensors(os.urandom(20_000_000))
    machine.hub.files[COMMIT] = {**FILES, "model.safetensors": big}
    return big


def test_a_killed_pull_goes_on_where_it_stopped(machine: Machine) -> None:
    big = big_weights(machine)
    machine.hub.break_after = 3_000_000
    machine.hub.slow_down_at = 6_000_000
    command = [sys.executable, "-m", "batch.entry", "models", "pull", REPO]
    pull = subprocess.Popen(command, env=machine.environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while half(machine) < 5_000_000 and time.monotonic() < deadline:
        time.sleep(0.05)
    pull.kill()
    pull.wait()
    assert 5_000_000 <= half(machine) < len(big)
    assert "not whole" in (said := machine.models("path", REPO).stderr) or "not on this machine" in said

    machine.hub.break_after = machine.hub.slow_down_at = None
    machine.hub.asked.clear()
    had = half(machine)
    done = machine.models("pull", REPO)
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / "model.safetensors").read_bytes() == big
    assert f"RANGE {had} model.safetensors" in machine.hub.asked
    assert half(machine) == 0


def half(machine: Machine) -> int:
    return sum(file.stat().st_size for file in machine.cache.glob("*/blobs/*.vidprompter-part"))


def test_a_line_that_breaks_now_and_then_is_mended(machine: Machine) -> None:
    big = big_weights(machine)
    machine.hub.break_after, machine.hub.breaks = 6_000_000, 3
    done = machine.models("pull", REPO)
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / "model.safetensors").read_bytes() == big


def test_a_line_that_stays_dead_is_an_error(machine: Machine) -> None:
    big_weights(machine)
    machine.hub.break_after = 0
    assert (
        f"the model hub did not give {REPO} at main" in machine.models("pull", REPO).stderr.splitlines()[-1]
    )


def test_weights_other_than_the_hub_says_are_refused(machine: Machine) -> None:
    big_weights(machine)
    machine.hub.altered = True
    failed = machine.models("pull", REPO)
    assert failed.returncode == 1 and "model.safetensors came with sha256" in failed.stderr
    assert half(machine) == 0
    assert machine.models("path", REPO).returncode == 1


def test_verify_compares_the_sums_of_weights(machine: Machine) -> None:
    big_weights(machine)
    folder = Path(machine.models("pull", REPO).stdout.strip())
    assert machine.models("path", REPO, "--verify").stdout.strip() == str(folder)
    weights = (folder / "model.safetensors").resolve()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert machine.models("path", REPO).returncode == 0  # the size is right
    assert "is damaged: model.safetensors has another sha256" in error_of(
        machine.models("path", REPO, "--verify")
    )
    mended = machine.models("pull", REPO)
    assert mended.returncode == 0, mended.stderr
    assert machine.models("path", REPO, "--verify").returncode == 0


def test_whole_files_are_not_fetched_twice(machine: Machine) -> None:
    assert machine.models("pull", REPO).returncode == 0
    snapshot = next(machine.cache.glob("*/snapshots/*"))
    (snapshot / "model.safetensors").resolve().unlink()
    (snapshot / "model.safetensors").unlink()
    machine.hub.asked.clear()
    again = machine.models("pull", REPO)
    assert again.returncode == 0, again.stderr
    assert machine.hub.fetched() == {"model.safetensors"}


def test_much_to_fetch_is_asked_for_with_the_true_size(machine: Machine) -> None:
    machine.hub.files[COMMIT] = {**FILES, "model.safetensors": b""}
    huge = 600_000_001

    class Claimed(bytes):
        def __len__(self) -> int:
            return huge

    machine.hub.files[COMMIT]["model.safetensors"] = Claimed()
    refused = machine.models("pull", REPO)
    assert refused.returncode == 2 and "that is 600 MB to fetch; say --yes" in refused.stderr
    assert machine.hub.fetched() == set()


def test_no_room_on_the_disk(machine: Machine) -> None:
    class Claimed(bytes):
        def __len__(self) -> int:
            return 10**15

    machine.hub.files[COMMIT] = {**FILES, "model.safetensors": Claimed()}
    refused = machine.models("pull", REPO, "--yes")
    assert (
        refused.returncode == 1
        and "needs 1020000.00 GB" in refused.stderr
        and "HF_HUB_CACHE" in refused.stderr
    )


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    [line] = done.stderr.strip().splitlines()
    return line


def test_what_the_hub_refuses_is_said_in_one_line(machine: Machine) -> None:
    assert "the hub has no model 'someone/else'" in error_of(machine.models("pull", "someone/else"))
    assert "no commit, branch or tag 'v9'" in error_of(machine.models("pull", f"{REPO}@v9"))
    machine.hub.gated = True
    assert "asks for its terms to be accepted" in error_of(machine.models("pull", REPO))


def test_only_pickles_are_refused(machine: Machine) -> None:
    del machine.hub.files[COMMIT]["model.safetensors"]
    assert "no safetensors weights; pickled ones are never fetched" in error_of(machine.models("pull", REPO))


def test_offline_is_honoured(machine: Machine) -> None:
    said = error_of(machine.models("pull", REPO, HF_HUB_OFFLINE="1"))
    assert "HF_HUB_OFFLINE is set" in said
    assert machine.hub.asked == []


def test_a_hub_that_is_not_there(machine: Machine) -> None:
    said = error_of(machine.models("pull", REPO, HF_ENDPOINT="http://127.0.0.1:9"))
    assert f"the model hub did not give {REPO} at main" in said
