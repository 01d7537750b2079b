"""The root `config.json` of a VILA-1.5 folder, read and checked; no torch.

Keys and their meaning: NVlabs/VILA, branch vila1.5, llava/model/configuration_llava.py and llava/model/utils.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import ModelError

PARTS = {"llm_cfg": "llm", "vision_tower_cfg": "vision_tower", "mm_projector_cfg": "mm_projector"}
"""Keys of the root config, and the folders they stand for where the entry is a nested dict."""

ASPECTS = ("resize", "pad", "square", None)
_PART_KINDS = {
    "llm_cfg": ("model_type", "llama"),
    "vision_tower_cfg": ("model_type", "siglip_vision_model"),
    "mm_projector_cfg": ("mm_projector_type", "mlp_downsample"),
}
_NEXT = "VILA-1.5 of 3B, 8B and 13B can be loaded, e.g. Efficient-Large-Model/Llama-3-VILA1.5-8B"


@dataclass(frozen=True)
class VilaConfig:
    """What the root config says that this loader needs.

    folder: the checkpoint. llm, vision_tower, projector: the folders of its parts. select_layer: which hidden state
    of the vision tower is used, as an index into all of them (-2: the last but one). image_aspect_ratio: how a
    frame becomes a square: "resize" and None stretch it, "pad" adds bars. video_frames: frames of a clip the
    model was trained with.
    """

    folder: Path
    llm: Path
    vision_tower: Path
    projector: Path
    select_layer: int
    image_aspect_ratio: str | None
    video_frames: int


def is_vila_folder(path: str | Path) -> bool:
    """Whether `path` is a folder in VILA's layout, told from its `config.json` alone.

    Also true for folders of the same layout that `read_config` then refuses by name, such as NVILA.
    """
    try:
        raw = json.loads((Path(path) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no such folder or file; not JSON, not UTF-8
        return False
    return isinstance(raw, dict) and PARTS.keys() <= raw.keys()


def read_config(folder: str | Path) -> VilaConfig:
    """The checked root config of the checkpoint in `folder`.

    Raises:
        ModelError: A file is missing or not JSON, or a value is one this loader does not know.
    """
    root = Path(folder)
    raw = read_json(root / "config.json")
    where = root / "config.json"
    _expect(where, raw, "model_type", "llava_llama")
    for key in ("s2", "dynamic_s2", "mm_use_im_start_end"):
        if raw.get(key):
            raise _refused(where, key, raw[key], "false")
    _expect(where, raw, "mm_vision_select_feature", "cls_patch")
    parts = {key: _part(root, where, raw, key) for key in PARTS}
    aspect = raw.get("image_aspect_ratio")
    if aspect not in ASPECTS:
        raise _refused(where, "image_aspect_ratio", aspect, "'resize' or 'pad'")
    resolution = raw.get("vision_resolution")
    held = read_json(parts["vision_tower_cfg"] / "config.json").get("image_size")
    if resolution not in (None, -1, held):
        raise _refused(
            where, "vision_resolution", resolution, f"-1 or {held}, as in vision_tower/config.json"
        )
    return VilaConfig(
        folder=root,
        llm=parts["llm_cfg"],
        vision_tower=parts["vision_tower_cfg"],
        projector=parts["mm_projector_cfg"],
        select_layer=_whole(where, raw, "mm_vision_select_layer", -2, highest=-1),
        image_aspect_ratio=aspect,
        video_frames=_whole(where, raw, "num_video_frames", 8, lowest=1),
    )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`.

    Raises:
        ModelError: There is none.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; fetch the whole checkpoint again") from error
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}; fetch it again") from error
    if not isinstance(raw, dict):
        raise ModelError(f"{path} holds a {type(raw).__name__}, not a JSON object; fetch it again")
    return raw


def _part(root: Path, where: Path, raw: dict[str, Any], key: str) -> Path:
    """The folder of one part: its own name where the entry is a dict, else the folder that the entry names."""
    entry = raw.get(key)
    if not isinstance(entry, dict | str):
        raise _refused(where, key, entry, "a nested config or the name of a folder")
    part = root / (PARTS[key] if isinstance(entry, dict) else entry)
    # A training run's own paths ("runs/train/...") stay in some configs; weights are only taken from this folder.
    if not part.is_dir() or not part.resolve().is_relative_to(root.resolve()):
        name = PARTS[key] if isinstance(entry, dict) else entry
        raise ModelError(
            f"{where}: {key} stands for the folder {name!r}, which is not in {root}; "
            f"put that part's files into {root / PARTS[key]} and write {PARTS[key]!r} there"
        )
    known, value = _PART_KINDS[key]
    _expect(part / "config.json", read_json(part / "config.json"), known, value)
    return part


def _expect(where: Path, raw: dict[str, Any], key: str, value: str) -> None:
    if raw.get(key) != value:
        raise _refused(where, key, raw.get(key), repr(value))


def _whole(
    where: Path,
    raw: dict[str, Any],
    key: str,
    default: int,
    *,
    lowest: int | None = None,
    highest: int | None = None,
) -> int:
    value = raw.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refused(where, key, value, "a whole number")
    if lowest is not None and value < lowest:
        raise _refused(where, key, value, f"{lowest} or more")
    if highest is not None and value > highest:
        raise _refused(where, key, value, f"{highest} or less")
    return value


def _refused(where: Path, key: str, value: object, known: str) -> ModelError:
    return ModelError(f"{where}: {key} is {value!r}, this loader knows {known}; {_NEXT}")
