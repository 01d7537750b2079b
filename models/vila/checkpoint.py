"""Which tensors the safetensors files of a folder hold, and whether they are those that a network needs.

Only headers are read, so a broken checkpoint is told in a second, by name, before gigabytes are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError, WeightsCorrupt, WeightsMissing
from models.vila.config import read_json

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth")


@dataclass(frozen=True)
class Stored:
    """One tensor of a checkpoint: its shape, and the file that holds it."""

    shape: tuple[int, ...]
    file: Path


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """Every tensor in the safetensors files of `folder`, under its stored name.

    Raises:
        ModelError: There are only pickles, which may run code when they are opened.
        WeightsMissing: There are no weights, or a file that the index names is not there.
        WeightsCorrupt: A file is not safetensors, or lacks a tensor that the index promises.
    """
    index = folder / INDEX
    promised: Mapping[str, str] = {}
    if index.is_file():
        promised = _weight_map(index)
        files = [folder / name for name in sorted(set(promised.values()))]
    else:
        files = [folder / WEIGHTS]
    for file in files:
        if not file.is_file():
            raise _no_weights(folder, file, index if promised else None)
    found = {name: stored for file in files for name, stored in _header(file).items()}
    for name, file_name in promised.items():
        if name not in found or found[name].file.name != file_name:
            raise WeightsCorrupt(
                f"{folder / file_name} lacks the tensor {name!r} that {INDEX} promises; fetch it again"
            )
    return found


def check_tensors(
    folder: Path,
    needed: Mapping[str, tuple[int, ...]],
    *,
    rename: Callable[[str], str] = str,
    ignored: Callable[[str], bool] = lambda name: False,
    optional: Iterable[str] = (),
) -> dict[str, Stored]:
    """The tensors stored in `folder` under the network's names, after a check that they are those in `needed`.

    rename: stored name -> the network's name. ignored: stored names that no network holds any more. optional: needed
    names that may be missing (tied weights).

    Raises:
        ModelError, WeightsMissing: as `stored_tensors`.
        WeightsCorrupt: A tensor is missing, has another shape or has no place; the message names it and its file.
    """
    found = {rename(name): stored for name, stored in stored_tensors(folder).items() if not ignored(name)}
    for name in sorted(needed.keys() - found.keys() - set(optional)):
        where = INDEX if (folder / INDEX).is_file() else WEIGHTS
        raise WeightsCorrupt(f"{folder / where} lacks the tensor {name!r}; fetch the checkpoint again")
    for name, stored in found.items():
        if name not in needed:
            raise WeightsCorrupt(
                f"{stored.file} holds the tensor {name!r}, which this network has no place for; "
                f"it is not the checkpoint that {folder / 'config.json'} describes"
            )
        if stored.shape != needed[name]:
            raise WeightsCorrupt(
                f"{stored.file}: the tensor {name!r} is {_size(stored.shape)}, "
                f"{folder / 'config.json'} asks for {_size(needed[name])}; fetch both again"
            )
    return found


def _weight_map(index: Path) -> dict[str, str]:
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(v, str) for v in names.values()):
        raise WeightsCorrupt(f"{index} has no weight_map of tensor names to files; fetch it again")
    for value in names.values():
        if Path(value).name != value:
            raise WeightsCorrupt(f"{index} names the file {value!r} outside of its folder; fetch it again")
    return names


def _header(file: Path) -> dict[str, Stored]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            return {name: Stored(tuple(opened.get_slice(name).get_shape()), file) for name in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsCorrupt(f"{file} is not a whole safetensors file ({error}); fetch it again") from error


def _no_weights(folder: Path, file: Path, index: Path | None) -> ModelError:
    if index is not None:
        return WeightsMissing(
            f"{file} is not there, though {index.name} names it; fetch the checkpoint again"
        )
    for pattern in _PICKLES:
        for pickle in sorted(folder.glob(pattern)):
            return ModelError(
                f"{pickle} is a pickle, which may run code when it is opened; convert it where you trust it: "
                f"safetensors.torch.save_file(torch.load({pickle.name!r}, weights_only=True), {WEIGHTS!r})"
            )
    return WeightsMissing(f"no {WEIGHTS} and no {INDEX} in {folder}; fetch the checkpoint again")


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
