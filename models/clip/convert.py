"""A checkpoint written as a folder of ours: settings, tokenizer, and the weights as safetensors under OpenAI's names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from models.clip.checkpoint import (
    OWN,
    SUFFIXES,
    Checkpoint,
    check_kind,
    load_network,
    load_tokenizer,
    read_checkpoint,
)
from models.clip.locate import ENTRIES
from models.clip.vocabulary import write_vocabulary
from models.errors import WeightsMissing

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = "clip.v1"
"""Name of the made folder; a new number makes every machine convert again."""


def save_clip(checkpoint: Checkpoint, folder: Path) -> None:
    """Writes the checkpoint into `folder`, which `read_checkpoint` reads; float32, checked whole.

    Raises:
        WeightsCorrupt: the weights are not whole, or not finite.
        OSError: no room.
    """
    from safetensors.torch import save_file

    network, tokenizer = load_network(checkpoint), load_tokenizer(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_apart(network.state_dict()), folder / "model.safetensors", metadata={"format": "pt"})
    write_vocabulary(tokenizer.vocabulary, folder)
    row = {
        "config": checkpoint.config.to_json(),
        "preprocess": checkpoint.preprocess.to_json(),
        "notes": list(checkpoint.notes),
    }
    # last: what a folder is known by is only there when the rest is
    (folder / OWN).write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    (folder / "model.safetensors").chmod((folder / OWN).stat().st_mode)  # it comes readable by its owner only


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, those that share memory copied: safetensors stores none twice."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return found


def prepare_long_clip(fetched: Path, made: Path) -> None:
    """Writes the folder `clip.v1` into `made`, of the Long-CLIP that was fetched into `fetched`.

    Raises:
        WeightsCorrupt: what came is no whole Long-CLIP.
    """
    _prepare("long-clip", fetched, made)


def prepare_videoclip_xl(fetched: Path, made: Path) -> None:
    """Writes the folder `clip.v1` into `made`, of the VideoCLIP-XL that was fetched into `fetched`.

    Raises:
        WeightsCorrupt: what came is no whole VideoCLIP-XL.
    """
    _prepare("videoclip-xl", fetched, made)


def _prepare(kind: str, fetched: Path, made: Path) -> None:
    files = [file for file in sorted(fetched.iterdir()) if file.suffix in SUFFIXES]
    if len(files) != 1:
        raise WeightsMissing(
            f"{fetched} has {len(files)} files of weights instead of one; pull {ENTRIES[kind]!r} again"
        )
    checkpoint = read_checkpoint(files[0])
    check_kind(checkpoint, kind)
    save_clip(checkpoint, made / FOLDER)
