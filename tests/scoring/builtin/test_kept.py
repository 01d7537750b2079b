"""Looks on disk: what is read is what was written, and damage counts as not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.builtin.kept import KeptLooks, look_key
from scoring.builtin.look import BANDS, Look, SeenThing, ShotCamera
from vidprompter.sheet.colors import NAMES
from vidprompter.sheet.types import CameraMotion, ObjectFact, SceneSheet, Shot

CAMERA = CameraMotion("pan left", 0.1, 0.9)
KEY = look_key("abc", None, None, "r1")


def a_look(seed: int = 0, *, things: int = 2, close: bool = True) -> Look:
    random = np.random.default_rng(seed)

    def shares(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return random.random(shape, np.float32)

    sheet = SceneSheet(
        "a clip.mp4", 3.5, 640, 360, 25.0, CAMERA, (Shot(0.0, 3.5, CAMERA, "wide shot", 0.4),),
        objects=(ObjectFact("dog", 2, 0.1 + random.random() / 2),),
    )  # fmt: skip
    return Look(
        sheet,
        shares(4, 1000).astype(np.float16),
        shares(1000).astype(np.float16) if close else None,
        None,
        tuple(
            SeenThing(f"thing {n}", "animal", 0.3, 0.2, (1, 0, 2), 0.25, shares(BANDS, len(NAMES)))
            for n in range(things)
        ),
        shares(4, BANDS, len(NAMES)),
        (ShotCamera(3.5, (0.1, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), 0.01, 0.8),),
    )


def assert_same(one: Look, two: Look | None) -> None:
    assert two is not None
    assert one.sheet == two.sheet and one.cameras == two.cameras
    assert [(t.name, t.counts, t.area) for t in one.things] == [
        (t.name, t.counts, t.area) for t in two.things
    ]
    for a, b in zip(one.things, two.things, strict=True):
        assert np.array_equal(a.colors, b.colors) and a.colors.dtype == b.colors.dtype
    for name in ("classes", "worn", "animal", "bands"):
        a, b = getattr(one, name), getattr(two, name)
        assert (a is None and b is None) or (np.array_equal(a, b) and a.dtype == b.dtype)


@settings(max_examples=20)
@given(st.integers(0, 99), st.integers(0, 3), st.booleans())
def test_what_is_kept_comes_back(
    tmp_path_factory: pytest.TempPathFactory, seed: int, things: int, close: bool
) -> None:
    kept = KeptLooks(tmp_path_factory.mktemp("kept"), 10_000_000)
    look = a_look(seed, things=things, close=close)
    assert kept.get(KEY) is None
    kept.put(KEY, look)
    assert_same(look, kept.get(KEY))
    assert kept.get(look_key("abc", 0.5, None, "r1")) is None


def test_the_key_is_of_content_range_and_revision() -> None:
    parts = [
        ("abc", None, None, "r"),
        ("abd", None, None, "r"),
        ("abc", 0.0, None, "r"),
        ("abc", None, None, "s"),
    ]
    assert len({look_key(*part) for part in parts}) == len(parts)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_file_counts_as_not_there(
    tmp_path_factory: pytest.TempPathFactory, place: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("kept")
    kept = KeptLooks(folder, 10_000_000)
    look = a_look()
    kept.put(KEY, look)
    [file] = (folder / "looks").glob("*/*")
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= flip
    file.write_bytes(bytes(data))
    found = kept.get(KEY)
    if found is not None:  # spaces between JSON's words do not matter
        assert_same(look, found)
    file.write_bytes(bytes(data[: place % len(data)]))
    assert kept.get(KEY) is None


def test_it_stays_below_its_limit_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    keys = [look_key(str(n), None, None, "r") for n in range(12)]
    one = KeptLooks(tmp_path / "one", 10_000_000)
    one.put(keys[0], a_look())
    [file] = (tmp_path / "one").glob("looks/*/*")
    kept = KeptLooks(tmp_path / "many", file.stat().st_size * 5)
    for n, key in enumerate(keys):
        kept.put(key, a_look(n))
    files = list((tmp_path / "many").glob("looks/*/*"))
    assert 0 < sum(one.stat().st_size for one in files) <= file.stat().st_size * 5
    assert kept.get(keys[-1]) is not None and kept.get(keys[0]) is None


def test_switched_off_and_where_it_cannot_write(tmp_path: Path) -> None:
    off = KeptLooks(tmp_path, 0)
    off.put(KEY, a_look())
    assert not off.is_on and off.get(KEY) is None and not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("no folder")
    said: list[str] = []
    broken = KeptLooks(tmp_path / "file", 10_000_000, said.append)
    broken.put(KEY, a_look())
    broken.put(KEY, a_look())
    assert not broken.is_on and len(said) == 1 and "going on without" in said[0]
