"""A package index of one tiny wheel, and a registry table that pins it."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from models.registry import Registry

FILES = {"tiny/model.bin": b"weights " * 100, "tiny/words.txt": b"one\ntwo\n"}
TAKEN = {"model.bin": FILES["tiny/model.bin"], "more/words.txt": FILES["tiny/words.txt"]}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write_wheel(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    """tiny-weights 1.0: what pip wants, `files`, a file nobody wants, and one that tries to climb out."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / "tiny_weights-1.0-py3-none-any.whl"
    info = "tiny_weights-1.0.dist-info"
    extra = {
        "tiny/unwanted.bin": b"not this",
        "../escaped.txt": b"not this either",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (files | extra).items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return wheel


@dataclass
class Pin:
    """What the table says; tests change one thing at a time."""

    wheel: Path
    wheel_sha: str | None = None
    model_sha: str = sha(FILES["tiny/model.bin"])
    model_path: str = "tiny/model.bin"
    prepare: str | None = None
    derived: tuple[str, ...] = field(default=())

    def table(self) -> str:
        """The TOML text."""
        whole = self.wheel.read_bytes()
        words = FILES["tiny/words.txt"]
        prepared = f'prepare = "{self.prepare}"\nderived = {list(self.derived)}\n' if self.prepare else ""
        return f"""
[tiny]
kind = "test"
description = "a tiny wheel"
licence = "MIT"
upstream = "here"
upstream_licence = "MIT"
{prepared}
  [tiny.package]
  name = "tiny-weights"
  version = "1.0"
  bytes = {len(whole)}
  sha256 = "{self.wheel_sha or sha(whole)}"
  files = [
    {{ path = "{self.model_path}", bytes = 800, sha256 = "{self.model_sha}" }},
    {{ path = "tiny/words.txt", as = "more/words.txt", bytes = {len(words)}, sha256 = "{sha(words)}" }},
  ]
"""

    def write(self, path: Path) -> Registry:
        """The registry, after its table was written to `path`."""
        path.write_text(self.table(), encoding="utf-8")
        return Registry.read(path)


def index_settings(folder: Path) -> dict[str, str]:
    """The environment in which pip knows the wheels of `folder` and nothing else."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": "/dev/null"}
