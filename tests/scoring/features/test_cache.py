"""Features on disk: found again, bounded, shared by processes, and never wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.features.cache import FeatureCache, default_folder
from scoring.features.shard import KEY_BYTES, Feature, feature_key

BIG = 10_000_000


class Said(list[str]):
    __call__ = list.append


def feature(seed: int, width: int = 16) -> Feature:
    return Feature(np.random.default_rng(seed).random(width).astype(np.float32), seed)


def some(*seeds: int, width: int = 16) -> dict[bytes, Feature]:
    return {feature_key("test", seed): feature(seed, width) for seed in seeds}


def same(found: dict[bytes, Feature], wanted: dict[bytes, Feature]) -> bool:
    return found.keys() == wanted.keys() and all(
        np.array_equal(found[key].vector, one.vector) and found[key].count == one.count
        for key, one in wanted.items()
    )


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "shards").glob("*.safetensors"))


@pytest.fixture
def said() -> Said:
    return Said()


def test_what_was_put_is_found(tmp_path: Path, said: Said) -> None:
    cache = FeatureCache(tmp_path, BIG, said)
    assert cache.get(some(1, 2)) == {}
    cache.put(some(1, 2) | some(3, width=5))
    cache.put(some(4))
    assert same(cache.get(some(1, 2, 3, 4, 5)), some(1, 2, 4) | some(3, width=5))
    cache.close()
    again = FeatureCache(tmp_path, BIG, said)
    assert same(again.get(some(2, 4)), some(2, 4))
    cache.put({})
    assert said == [] and len(shards(tmp_path)) == 3


def test_keys_stand_for_all_parts() -> None:
    keys = [
        feature_key(*parts)
        for parts in (("a", "bc"), ("ab", "c"), ("a", "bc", None), ("a", ["bc"]), ("\ud800",))
    ]
    assert len(set(keys)) == 5 and {len(key) for key in keys} == {KEY_BYTES}
    assert feature_key({"b": 1, "a": 2.5}) == feature_key({"a": 2.5, "b": 1})


def test_newer_values_win(tmp_path: Path, said: Said) -> None:
    cache = FeatureCache(tmp_path, BIG, said)
    key = feature_key("one")
    for seed in (1, 2):
        cache.put({key: feature(seed)})
    assert cache.get([key])[key].count == 2


@settings(max_examples=15, deadline=None)
@given(rounds=st.lists(st.sets(st.integers(0, 40), max_size=12), min_size=1, max_size=8))
def test_any_order_of_puts(tmp_path_factory: pytest.TempPathFactory, rounds: list[set[int]]) -> None:
    cache = FeatureCache(tmp_path_factory.mktemp("cache"), BIG, Said())
    for seeds in rounds:
        cache.put(some(*seeds))
    assert same(cache.get(some(*range(41))), some(*set().union(*rounds)))


def test_the_longest_unused_goes_first(tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000, 100_000, 100))
    monkeypatch.setattr("scoring.features.cache.time.time", lambda: float(next(clock)))
    cache = FeatureCache(tmp_path, 2500, said)
    for seed in range(3):
        cache.put(some(seed))
    cache.get(some(0))
    for seed in range(3, 6):
        cache.put(some(seed))
    kept = {one.count for one in cache.get(some(*range(6))).values()}
    assert 5 in kept and 1 not in kept and kept != {0, 1, 2, 3, 4, 5}
    assert sum(file.stat().st_size for file in shards(tmp_path)) <= 2500
    assert len(kept) == len(shards(tmp_path))


def test_many_small_shards_become_one(tmp_path: Path, said: Said) -> None:
    cache = FeatureCache(tmp_path, BIG, said)
    for seed in range(150):
        cache.put(some(seed))
    assert len(shards(tmp_path)) < 70
    assert same(cache.get(some(*range(150))), some(*range(150)))


def test_off(tmp_path: Path, said: Said) -> None:
    cache = FeatureCache(tmp_path / "never", 0, said)
    cache.put(some(1))
    assert cache.get(some(1)) == {} and not (tmp_path / "never").exists() and said == []


def test_damaged_rows_are_not_there(tmp_path: Path, said: Said) -> None:
    cache = FeatureCache(tmp_path, BIG, said)
    cache.put(some(1, 2))
    cache.put(some(3))
    [file] = [
        file
        for file in shards(tmp_path)
        if file.stat().st_size == max(f.stat().st_size for f in shards(tmp_path))
    ]
    data = bytearray(file.read_bytes())
    for place in range(len(data) - 200, len(data), 7):
        data[place] ^= 0x41
    file.write_bytes(data)
    found = cache.get(some(1, 2, 3))
    assert all(np.array_equal(found[key].vector, some(1, 2, 3)[key].vector) for key in found)
    assert feature_key("test", 3) in found and len(found) < 3
    assert len(said) == 1 and "damaged" in said[0]
    cache.put(some(1, 2))
    assert same(cache.get(some(1, 2, 3)), some(1, 2, 3))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_damage_gives_no_wrong_value(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    FeatureCache(folder, BIG, Said()).put(some(1, 2, 3))
    [file] = shards(folder)
    content = bytearray(file.read_bytes())
    match data.draw(st.sampled_from(["flip", "cut", "replace"])):
        case "flip":
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del content[data.draw(st.integers(0, len(content) - 1)) :]
        case _:
            content = bytearray(data.draw(st.binary(max_size=400)))
    file.write_bytes(content)
    found = FeatureCache(folder, BIG, Said()).get(some(1, 2, 3))
    for key, one in found.items():
        assert np.array_equal(one.vector, some(1, 2, 3)[key].vector) and one.count == some(1, 2, 3)[key].count


def test_a_lost_shard_is_quietly_made_again(tmp_path: Path, said: Said) -> None:
    cache = FeatureCache(tmp_path, BIG, said)
    cache.put(some(1))
    shards(tmp_path)[0].unlink()
    assert cache.get(some(1)) == {} and said == []
    cache.put(some(1))
    assert same(cache.get(some(1)), some(1))


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\x07" * 8000])
def test_a_damaged_index_is_begun_anew(tmp_path: Path, said: Said, damage: bytes) -> None:
    FeatureCache(tmp_path, BIG, said).put(some(1))
    for name in ("index.sqlite-wal", "index.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "index.sqlite").write_bytes(damage)
    cache = FeatureCache(tmp_path, BIG, said)
    assert cache.get(some(1)) == {}
    cache.put(some(1, 2))
    assert same(cache.get(some(1, 2)), some(1, 2))
    assert len(said) == 1 and "damaged" in said[0]


def test_an_index_of_another_version_is_left_alone(tmp_path: Path, said: Said) -> None:
    FeatureCache(tmp_path, BIG, said).put(some(1))
    with sqlite3.connect(tmp_path / "index.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    cache = FeatureCache(tmp_path, BIG, said)
    assert cache.get(some(1)) == {} and not cache.is_on
    assert len(said) == 1 and "version 99" in said[0]


def test_no_place_for_it(tmp_path: Path, said: Said) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    cache = FeatureCache(blocked, BIG, said)
    cache.put(some(1))
    assert cache.get(some(1)) == {} and not cache.is_on
    assert len(said) == 1 and "not kept" in said[0]


def test_a_full_disk_switches_it_off(tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    def full(path: Path, rows: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cache = FeatureCache(tmp_path, BIG, said)
    monkeypatch.setattr("scoring.features.cache.write_shard", full)
    cache.put(some(1))
    cache.put(some(2))
    assert not cache.is_on and len(said) == 1 and os.strerror(errno.ENOSPC) in said[0]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_only_be_read(tmp_path: Path, said: Said) -> None:
    FeatureCache(tmp_path, BIG, said).put(some(1))
    (tmp_path / "shards").chmod(0o500)
    cache = FeatureCache(tmp_path, BIG, said)
    cache.put(some(2))
    (tmp_path / "shards").chmod(0o700)
    assert not cache.is_on and len(said) == 1


def test_what_a_killed_process_left_is_swept(tmp_path: Path, said: Said) -> None:
    FeatureCache(tmp_path, BIG, said).put(some(1))
    orphan, young = tmp_path / "shards" / "orphan.safetensors", tmp_path / "shards" / "new.partial"
    orphan.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(orphan, (time.time() - 7200,) * 2)
    cache = FeatureCache(tmp_path, BIG, said)
    assert same(cache.get(some(1)), some(1))
    assert not orphan.exists() and young.exists()


_WRITER = """
import sys
from pathlib import Path
from scoring.features.cache import FeatureCache
from tests.scoring.features.test_cache import some, same
cache = FeatureCache(Path(sys.argv[1]), int(sys.argv[3]), print)
print("ready", flush=True)
for seed in range(int(sys.argv[2]), int(sys.argv[2]) + 60):
    cache.put(some(seed, seed + 1000))
    found = cache.get(some(seed, seed + 999, seed + 1000))
    assert same(found, {key: one for key, one in some(seed, seed + 999, seed + 1000).items() if key in found})
print("done", flush=True)
"""


def test_several_processes_at_once(tmp_path: Path, said: Said) -> None:
    starts = (0, 200, 400)
    running = [_writer(tmp_path, start) for start in starts]
    for one in running:
        out, err = one.communicate(timeout=120)
        assert one.returncode == 0, err
        assert out.split() == ["ready", "done"], out
    wanted = some(
        *(seed + more for start in starts for seed in range(start, start + 60) for more in (0, 1000))
    )
    assert same(FeatureCache(tmp_path, BIG, said).get(wanted), wanted)


def test_a_killed_process_does_no_harm(tmp_path: Path, said: Said) -> None:
    one = _writer(tmp_path, 0)
    assert one.stdout and one.stdout.readline().strip() == "ready"
    time.sleep(0.15)
    one.send_signal(signal.SIGKILL)
    one.communicate()
    cache = FeatureCache(tmp_path, BIG, said)
    wanted = some(*range(60))
    found = cache.get(wanted)
    assert same(found, {key: value for key, value in wanted.items() if key in found})
    cache.put(some(1, 2, 3))
    assert same(cache.get(some(1, 2, 3)), some(1, 2, 3)) and said == []


def test_the_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "features"


def _writer(folder: Path, start: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder), str(start), str(BIG)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[3],
    )
