"""The tensors of a checkpoint file, by name: safetensors, or pickles of tensors alone.

Which of the two a file is, its first bytes say, not its name. Of pickles nothing but tensors is read
(`torch.load(weights_only=True)`), so that opening one runs no code.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ModelError, WeightsCorrupt, WeightsMissing

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]

_HEADER_AT_MOST = 100_000_000  # bytes: what the safetensors format allows
_WRAPPED = "state_dict"  # where the training programs of open_clip put the tensors
_PREFIX = "module."  # of networks that were trained on several GPUs
_SAFETENSORS_FORM = (
    "take the safetensors form instead: `vidprompter models pull openai/clip-vit-large-patch14`"
)


@dataclass(frozen=True)
class State:
    """The tensors of a checkpoint. where: the file, or the folder of its parts; read: gives one by its stored name."""

    where: Path
    shapes: Mapping[str, Shape]
    read: Callable[[str], Tensor]


def open_state(where: Path, files: Sequence[Path]) -> State:
    """The tensors in `files`, which together are one checkpoint. Of safetensors the headers alone are read yet.

    Raises:
        WeightsMissing: a file is not there.
        WeightsCorrupt: a file is no checkpoint, or not whole.
        ModelError: a file holds more than tensors, or cannot be read.
    """
    parts = [_open_one(file) for file in files]
    found: dict[str, State] = {}
    for part in parts:
        for name in part.shapes:
            if name in found:
                raise WeightsCorrupt(f"{part.where} holds {name!r}, which is in {found[name].where.name} too")
            found[name] = part
    shapes = {name: part.shapes[name] for name, part in found.items()}
    return State(where, shapes, lambda name: found[name].read(name))


def _open_one(file: Path) -> State:
    try:
        with file.open("rb") as stream:
            head = stream.read(32)
    except FileNotFoundError as error:
        raise WeightsMissing(f"{file} is not there; fetch the checkpoint again") from error
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}") from error
    if _is_safetensors(head):
        return _open_safetensors(file)
    if head.startswith(b"PK\x03\x04") or (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05"):
        return _open_pickle(file)
    raise WeightsCorrupt(f"{file} is no checkpoint: {_what_it_is(head)}; fetch it again")


def _is_safetensors(head: bytes) -> bool:
    return len(head) > 8 and 2 <= int.from_bytes(head[:8], "little") <= _HEADER_AT_MOST and head[8:9] == b"{"


def _what_it_is(head: bytes) -> str:
    start = head.lstrip().lower()
    if not head:
        return "it is empty"
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "it is a web page"
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, whose file was not fetched"
    return f"it begins with {head[:8]!r}, like neither safetensors nor torch"


def _open_safetensors(file: Path) -> State:
    from safetensors import SafetensorError, safe_open

    opener: Any = safe_open
    try:
        opened = opener(file, framework="pt")  # kept open: its tensors are read one by one, when asked
        shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsCorrupt(f"{file} is not a whole safetensors file ({error}); fetch it again") from error
    return State(file, shapes, opened.get_tensor)


def _open_pickle(file: Path) -> State:
    import torch

    zipped = zipfile.is_zipfile(file)
    if zipped and _is_torchscript(file):
        raise ModelError(
            f"{file} is a TorchScript archive, which holds code, and is not opened; {_SAFETENSORS_FORM}"
        )
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # an unpickler that is fed with broken bytes raises whatever they make it
        raise _not_opened(file, error) from error
    tensors = _tensors(file, loaded)
    return State(file, {name: tuple(tensor.shape) for name, tensor in tensors.items()}, tensors.__getitem__)


def _is_torchscript(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith("/constants.pkl") or "/code/" in name for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise WeightsCorrupt(f"{file} is no whole checkpoint ({error}); fetch it again") from error


def _not_opened(file: Path, error: Exception) -> ModelError:
    text = " ".join(str(error).split())
    if "Unsupported global" in text or "Unsupported class" in text or "not an allowed global" in text:
        culprit = text.partition("GLOBAL ")[2].split(" ")[0] or "a class of another program"
        return ModelError(
            f"{file} holds more than tensors ({culprit}), which can run code, and is not opened; {_SAFETENSORS_FORM}"
        )
    first = text[:120] or type(error).__name__
    return WeightsCorrupt(f"{file} is no whole checkpoint ({first}); fetch it again")


def _tensors(file: Path, loaded: Any) -> dict[str, Tensor]:
    import torch

    if isinstance(loaded, dict) and isinstance(loaded.get(_WRAPPED), dict):
        loaded = loaded[_WRAPPED]
    if not isinstance(loaded, dict) or not loaded:
        raise WeightsCorrupt(
            f"{file} holds a {type(loaded).__name__} instead of tensors by name; it is no checkpoint"
        )
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise WeightsCorrupt(
                f"{file} holds {name!r}, a {type(value).__name__}, among its tensors; it is no checkpoint"
            )
    cut = len(_PREFIX) if all(name.startswith(_PREFIX) for name in loaded) else 0
    return {name[cut:]: value for name, value in loaded.items()}
