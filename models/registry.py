"""The registry: a readable table (registry.toml) of names and what stands behind them.

The table is read once, checked whole, and cannot be changed afterwards.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.entry import (
    SHIPPED_ROOT,
    Entry,
    HubSource,
    PackageSource,
    ShippedSource,
    Source,
    WeightFile,
    is_plain_name,
)
from models.errors import ModelError, UnknownModel

TABLE = Path(__file__).with_name("registry.toml")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPO = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_LAZY = re.compile(r"[a-z_][\w.]*:[A-Za-z_]\w*")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
_TEXTS = ("kind", "description", "licence", "upstream", "upstream_licence")
_SOURCES = ("package", "hub", "shipped")
_KEYS = frozenset({*_TEXTS, *_SOURCES, "loader", "parts", "prepare", "derived", "card"})


class Registry:
    """Entries by name, in the order of the table; read-only."""

    def __init__(self, entries: Mapping[str, Entry], *, defined_in: Path) -> None:
        self._entries = MappingProxyType(dict(entries))
        self.defined_in = defined_in
        for entry in self:
            for part in entry.parts:
                if part not in self._entries:
                    raise _bad(defined_in, entry.name, f"part {part!r} is not in the table")

    @classmethod
    def read(cls, path: Path) -> Registry:
        """The registry that a TOML table describes.

        Raises:
            ModelError: The table is not valid: twice the same name, an unknown or missing key, a sha256 that
                is none, a path that leaves its folder, a part that is not there.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:  # a name given twice ends here too
            raise ModelError(f"the registry {path} is not valid: {error}") from error
        return cls({name: _entry(name, row, path) for name, row in table.items()}, defined_in=path)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def names(self) -> tuple[str, ...]:
        """All names, in the order of the table."""
        return tuple(self._entries)

    def get(self, name: str) -> Entry:
        """The entry called `name`.

        Raises:
            UnknownModel: There is none; the message suggests near names.
        """
        entry = self._entries.get(name)
        if entry is None:
            typed = name.lower()
            within = [known for known in self._entries if len(typed) > 2 and typed in known][:3]
            near = within or get_close_matches(typed, self._entries, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(self._entries)}"
            raise UnknownModel(f"no model called {name!r}; {hint}")
        return entry

    def with_parts(self, name: str) -> tuple[Entry, ...]:
        """The entry called `name` and all it needs, parts first, each once."""
        found: dict[str, Entry] = {}

        def visit(entry: Entry, above: tuple[str, ...]) -> None:
            if entry.name in above:
                raise _bad(self.defined_in, entry.name, "is a part of itself")
            for part in entry.parts:
                visit(self.get(part), (*above, entry.name))
            found[entry.name] = entry

        visit(self.get(name), ())
        return tuple(found.values())


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The registry that comes with VidPrompter."""
    return Registry.read(TABLE)


def _entry(name: str, row: Any, path: Path) -> Entry:
    if not isinstance(row, dict) or not _NAME.fullmatch(name):
        raise _bad(path, name, "must be a table with a lower-case name")
    if unknown := row.keys() - _KEYS:
        raise _bad(path, name, f"unknown key {min(unknown)!r}")
    for key in _TEXTS:
        if not isinstance(row.get(key), str) or not row[key]:
            raise _bad(path, name, f"needs a text for {key!r}")
    for key in ("loader", "prepare"):
        if key in row and not (isinstance(row[key], str) and _LAZY.fullmatch(row[key])):
            raise _bad(path, name, f"{key} must look like 'module:function', not {row[key]!r}")
    if bool(row.get("derived")) != ("prepare" in row):
        raise _bad(path, name, "`prepare` and `derived` come together")
    for made in row.get("derived", ()):
        _plain(made, name, path)
    given = [kind for kind in _SOURCES if kind in row]
    if len(given) != 1:
        raise _bad(path, name, f"needs exactly one of {', '.join(_SOURCES)}; has {len(given)}")
    return Entry(
        name=name,
        source=_READERS[given[0]](row[given[0]], name, path),
        loader=row.get("loader"),
        parts=tuple(row.get("parts", ())),
        prepare=row.get("prepare"),
        derived=tuple(row.get("derived", ())),
        card=" ".join(str(row.get("card", "")).split()),
        **{key: row[key] for key in _TEXTS},
    )


def _package(row: dict[str, Any], name: str, path: Path) -> Source:
    _same_keys(row, {"name", "version", "bytes", "sha256", "files"}, name, path)
    files = tuple(_file(file, name, path) for file in row["files"])
    if not files or len({file.name for file in files}) != len(files):
        raise _bad(path, name, "needs files, each with a name of its own")
    return PackageSource(row["name"], row["version"], *_pinned(row, name, path), files)


def _file(row: dict[str, Any], name: str, path: Path) -> WeightFile:
    _same_keys({"as": "", **row}, {"path", "as", "bytes", "sha256"}, name, path)
    on_disk = row.get("as") or row["path"].rsplit("/", 1)[-1]
    _plain(row["path"], name, path)
    _plain(on_disk, name, path)
    return WeightFile(row["path"], on_disk, *_pinned(row, name, path))


def _hub(row: dict[str, Any], name: str, path: Path) -> Source:
    known = {"repo", "commit", "bytes", "approximate", "files"}
    _same_keys({"commit": "", "approximate": False, "files": [], **row}, known, name, path)
    commit, size = row.get("commit"), row["bytes"]
    if commit is not None and not (isinstance(commit, str) and _COMMIT.fullmatch(commit)):
        raise _bad(path, name, f"commit must be 40 hex digits, not {commit!r}")
    if not isinstance(row["repo"], str) or not _REPO.fullmatch(row["repo"]):
        raise _bad(path, name, f"repo must read 'org/name', not {row['repo']!r}")
    if not isinstance(size, int) or size < 1:
        raise _bad(path, name, f"bytes must be a whole number above 0, not {size!r}")
    files = tuple(row.get("files", ()))
    for file in files:
        _plain(file, name, path)
    return HubSource(row["repo"], commit, size, bool(row.get("approximate", False)), files)


def _shipped(row: dict[str, Any], name: str, path: Path) -> Source:
    _same_keys(row, {"folder", "files"}, name, path)
    for part in (row["folder"], *row["files"]):
        _plain(part, name, path)
    return ShippedSource(SHIPPED_ROOT / row["folder"], tuple(row["files"]))


_READERS = {"package": _package, "hub": _hub, "shipped": _shipped}


def _pinned(row: dict[str, Any], name: str, path: Path) -> tuple[int, str]:
    size, digest = row["bytes"], row["sha256"]
    if not isinstance(size, int) or size < 1:
        raise _bad(path, name, f"bytes must be a whole number above 0, not {size!r}")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise _bad(path, name, f"sha256 must be 64 lower-case hex digits, not {digest!r}")
    return size, digest


def _plain(part: object, name: str, path: Path) -> None:
    if not isinstance(part, str) or not is_plain_name(part):
        raise _bad(path, name, f"{part!r} is not a plain relative path")


def _same_keys(row: dict[str, Any], wanted: set[str], name: str, path: Path) -> None:
    if wrong := row.keys() ^ wanted:
        raise _bad(path, name, f"key {min(wrong)!r} is missing or unknown; there must be {sorted(wanted)}")


def _bad(path: Path, name: str, what: str) -> ModelError:
    return ModelError(f"the registry {path}, entry {name!r}: {what}")
