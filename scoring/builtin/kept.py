"""Looks at clips, kept on disk for the next time: one safetensors file for each, its facts as JSON in the header.

The folder is `looks` beside the features of the CLIP-like models. It is bounded in bytes: what was not used for the
longest time goes first. A file that is damaged, of another version or of another clip counts as not there.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.builtin.look import Look, SeenThing, ShotCamera
from vidprompter.sheet.types import SceneSheet

VERSION = 2
"""Raised when a look holds something else than before."""
_FILL = 0.9  # of the limit that is left when something had to go


class KeptLooks:
    """Looks by key. Never raises: where the folder cannot be used it says so once, and keeps and finds nothing.

    folder: of all that scoring keeps. limit_bytes: how large it may grow, 0 switches it off. say: is told when it cannot be
    used.
    """

    def __init__(
        self, folder: Path, limit_bytes: int, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self._folder = folder / "looks"
        self._limit = limit_bytes
        self._say = say
        self._on = limit_bytes > 0
        self._bytes: int | None = None  # unknown before the first `put`

    @property
    def is_on(self) -> bool:
        """Whether it still keeps anything."""
        return self._on

    def get(self, key: str) -> Look | None:
        """The look of that key, None where there is none (any more)."""
        if not self._on:
            return None
        path = self._path(key)
        try:
            look = _read(path.read_bytes(), key)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        with suppress(OSError):
            os.utime(path)
        return look

    def put(self, key: str, look: Look) -> None:
        """Keeps it."""
        if not self._on:
            return
        path = self._path(key)
        data = _written(look, key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_name(f".{secrets.token_hex(8)}.half")
            try:
                half.write_bytes(data)
                half.replace(path)
            finally:
                half.unlink(missing_ok=True)
        except OSError as error:
            self._on = False
            self._say(
                f"what is seen of clips cannot be kept in {self._folder} ({error.strerror}); going on without"
            )
            return
        self._bytes = self._size() if self._bytes is None else self._bytes + len(data)
        if self._bytes > self._limit:
            self._shrink()

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.safetensors"

    def _files(self) -> list[tuple[float, int, Path]]:
        """Last use, bytes and path of each file."""
        found = []
        for path in self._folder.glob("*/*"):
            with suppress(OSError):
                state = path.stat()
                found.append((state.st_mtime, state.st_size, path))
        return found

    def _size(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _shrink(self) -> None:
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= self._limit * _FILL:
                break
            with suppress(OSError):
                path.unlink()
                left -= size
        self._bytes = left


def look_key(digest: str, start: float | None, end: float | None, revision: str) -> str:
    """The key of a file's part: 32 hex digits. digest: of the file's bytes. revision: of what looked."""
    text = json.dumps([VERSION, digest, start, end, revision])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _written(look: Look, key: str) -> bytes:
    from safetensors.numpy import save

    arrays: dict[str, NDArray[Any]] = {"classes": look.classes, "bands": look.bands}
    for name in ("worn", "animal"):
        if (one := getattr(look, name)) is not None:
            arrays[name] = one
    if look.things:
        arrays["colors"] = np.stack([thing.colors for thing in look.things])
    facts = {
        "sheet": look.sheet.to_json(),
        "things": [{k: v for k, v in _fields(thing).items() if k != "colors"} for thing in look.things],
        "cameras": [asdict(camera) for camera in look.cameras],
    }
    arrays = {name: np.ascontiguousarray(one) for name, one in arrays.items()}
    text = json.dumps(facts)
    return bytes(save(arrays, {"key": key, "facts": text, "sum": _sum(text, arrays)}))


def _read(data: bytes, key: str) -> Look:
    """The look in a file's bytes.

    Raises:
        ValueError, KeyError, TypeError: it is none, or not the one of that key.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    try:
        arrays = load(data)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    if header["key"] != key or header["sum"] != _sum(header["facts"], arrays):
        raise ValueError("damaged")
    facts = json.loads(header["facts"])
    return Look(
        sheet=SceneSheet.from_json({k: v for k, v in facts["sheet"].items() if k != "aspect"}),
        classes=arrays["classes"],
        worn=arrays.get("worn"),
        animal=arrays.get("animal"),
        things=tuple(
            SeenThing(**{**row, "counts": tuple(row["counts"])}, colors=arrays["colors"][n])
            for n, row in enumerate(facts["things"])
        ),
        bands=arrays["bands"],
        cameras=tuple(
            ShotCamera(**{**row, "rates": tuple(row["rates"]), "steadiness": tuple(row["steadiness"])})
            for row in facts["cameras"]
        ),
    )


def _fields(thing: SeenThing) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in SeenThing.__dataclass_fields__}


def _sum(text: str, arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(arrays):
        digest.update(name.encode() + str(arrays[name].shape).encode() + arrays[name].tobytes())
    return digest.hexdigest()
