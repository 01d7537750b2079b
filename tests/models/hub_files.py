"""Model folders and hub caches that tests write, in their real layouts."""

from __future__ import annotations

import json
import struct
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "89abcdef0123456789abcdef0123456789abcdef"


def safetensors(values: bytes = b"\1\2\3\4") -> bytes:
    """A file of the safetensors format with one tensor of bytes."""
    header = json.dumps(
        {"w": {"dtype": "U8", "shape": [len(values)], "data_offsets": [0, len(values)]}}
    ).encode()
    return struct.pack("<Q", len(header)) + header + values


def model_files(values: bytes = b"\1\2\3\4") -> dict[str, bytes]:
    """The files of a small model, name -> content."""
    return {
        "config.json": b'{"model_type": "tiny"}',
        "tokenizer.json": b"{}",
        "model.safetensors": safetensors(values),
    }


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_snapshot(
    cache: Path, repo: str, files: dict[str, bytes], *, commit: str = COMMIT, main: bool = True
) -> Path:
    """The snapshot folder, written as the hub library does: blobs, links to them, refs/main."""
    base = cache / ("models--" + repo.replace("/", "--"))
    (base / "blobs").mkdir(parents=True, exist_ok=True)
    snapshot = base / "snapshots" / commit
    for number, (name, content) in enumerate(files.items()):
        blob = base / "blobs" / f"{commit[:8]}{number:04d}"
        blob.write_bytes(content)
        link = snapshot / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    if main:
        (base / "refs").mkdir(exist_ok=True)
        (base / "refs" / "main").write_text(commit)
    return snapshot
