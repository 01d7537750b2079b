"""Where exported towers are kept, so that a second start reads neither torch nor the checkpoint.

<home>/onnx/<kind>-<digest of revision, exporter, dtype>/{vision,text}.onnx and their weights; made.json: each file's bytes.

A folder comes by one rename, so if it exists it is whole. What was not used for the longest time is deleted when all take
more than `BYTES_AT_MOST`; the newest stays, however large it is.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from models.clip.encoder import Card
from models.errors import ModelError
from models.fetching.places import home

if TYPE_CHECKING:
    from models.clip.network import ClipNetwork

BYTES_AT_MOST = 12_000_000_000
_VERSION = 1  # as EXPORT_VERSION, which cannot be read without torch; a test holds them together
_MADE = "made.json"
_ABANDONED_SECONDS = 24 * 3600
_EXPORTING = threading.Lock()  # torch.export is for one thread at a time


def exported(card: Card, dtype: str, load_network: Callable[[], ClipNetwork]) -> Path:
    """The folder with the towers of that checkpoint; exported first where they are not there yet.

    Raises:
        ModelError: they can be written nowhere. And what `load_network` raises.
    """
    folder = home() / "onnx" / _name(card, dtype)
    if not _is_whole(folder):
        network = load_network()
        try:
            folder = _made(folder, network, dtype)
        except OSError:
            folder = _made_for_now(network, dtype)
    with suppress(OSError):
        os.utime(folder)  # that it was used
    return folder


def is_exported(card: Card, dtype: str) -> bool:
    """Whether the towers of that checkpoint are there already."""
    return _is_whole(home() / "onnx" / _name(card, dtype))


def forget(card: Card, dtype: str) -> None:
    """Deletes what is kept of that checkpoint, because it does not load."""
    shutil.rmtree(home() / "onnx" / _name(card, dtype), ignore_errors=True)


def _name(card: Card, dtype: str) -> str:
    what = json.dumps([card.revision, _VERSION, dtype, card.preprocess.to_json(), card.video_frames])
    return f"{card.kind}-{sha256(what.encode()).hexdigest()[:24]}"


def _is_whole(folder: Path) -> bool:
    try:
        made = json.loads((folder / _MADE).read_text())
        return bool(made) and all((folder / name).stat().st_size == size for name, size in made.items())
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _made(folder: Path, network: ClipNetwork, dtype: str) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    try:
        _export(partial, network, dtype)
        if folder.exists():
            if _is_whole(folder):  # another process was faster
                return folder
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _shrink(folder)
    return folder


def _made_for_now(network: ClipNetwork, dtype: str) -> Path:
    """In a folder that ends with this process."""
    folder = Path(tempfile.mkdtemp(prefix="vidprompter-onnx-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        _export(folder, network, dtype)
    except OSError as error:
        raise ModelError(
            f"the ONNX graphs can be written neither to {home()} nor to {folder.parent} ({error.strerror}); "
            "make room, set VIDPROMPTER_HOME, or use backend 'torch'"
        ) from None
    return folder


def _export(folder: Path, network: ClipNetwork, dtype: str) -> None:
    from models.clip.onnx_export import export_towers

    with _EXPORTING:
        names = export_towers(network, folder, half=dtype == "float16")
    made = {name: (folder / name).stat().st_size for name in names}
    (folder / _MADE).write_text(json.dumps(made))


def _shrink(newest: Path) -> None:
    """Deletes the longest unused beyond the limit, and what killed processes left."""
    folders = []
    for folder in newest.parent.iterdir():
        with suppress(OSError):
            used = folder.stat().st_mtime
            if folder.name.startswith(".partial-"):
                if time.time() - used > _ABANDONED_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
            elif folder != newest:
                folders.append((used, sum(file.stat().st_size for file in folder.iterdir()), folder))
    total = sum(file.stat().st_size for file in newest.iterdir()) + sum(size for _, size, _ in folders)
    for _, size, folder in sorted(folders, key=lambda one: one[0]):
        if total <= BYTES_AT_MOST:
            return
        shutil.rmtree(folder, ignore_errors=True)
        total -= size
