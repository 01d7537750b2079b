"""A checkpoint of a CLIP-like network on this machine: what it says of itself, and its weights.

Read are, each in its published form: a folder of transformers, a folder of open_clip, a folder that `models/clip/convert.py`
wrote, and single files under OpenAI's names (CLIP, Long-CLIP) or VideoCLIP-XL's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.clip.config import LONG_CONTEXT, Activation, ClipConfig
from models.clip.layouts.open_clip import open_clip_config
from models.clip.layouts.openai import OPENAI, config_of
from models.clip.layouts.slots import Layout, check_names
from models.clip.layouts.transformers import TRANSFORMERS, transformers_config
from models.clip.layouts.videoclip_xl import VIDEOCLIP_XL, video_config_of
from models.clip.preprocess import Preprocess
from models.clip.published import open_clip_preprocess, published_preprocess, transformers_preprocess
from models.clip.state import State, open_state
from models.clip.tokenizer import ClipBpe
from models.clip.vocabulary import vocabulary_in
from models.errors import ModelError, WeightsCorrupt, WeightsMissing

if TYPE_CHECKING:
    from torch import Tensor

    from models.clip.network import ClipNetwork

KINDS = {"clip": "CLIP", "long-clip": "Long-CLIP", "videoclip-xl": "VideoCLIP-XL"}
"""Names of evaluators -> of the networks behind them."""

OWN = "clip.json"
"""The file that makes a folder one of ours."""
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_OPEN_CLIP, _OPEN_CLIP_WEIGHTS = (
    "open_clip_config.json",
    ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
)
_TRANSFORMERS_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_ASSUMED = "the file does not name its activation; quick GELU is taken, as OpenAI published"
_FOREIGN = {
    # what only another network's tensors are called
    "visual.layer1.": "a ResNet CLIP (RN50 ...); evaluators take those with a vision transformer (ViT-...)",
    "visual.attnpool.": "a ResNet CLIP (RN50 ...); evaluators take those with a vision transformer (ViT-...)",
    "visual.trunk.": "a network whose vision tower is timm's (SigLIP, EVA ...); evaluators take OpenAI's form of ViT",
    "logit_bias": "a SigLIP; no evaluator takes it",
    "vision_model.head.": "a SigLIP; no evaluator takes it",
    "text_encoder.": "a ViCLIP; the evaluator videoclip-xl takes VideoCLIP-XL.bin",
    "text.": "an open_clip network with a text tower of its own; evaluators take CLIP's",
    "vision_model.encoder.layers.": "laid out as transformers does, which needs its config.json; give the whole folder",
}


@dataclass(frozen=True)
class Checkpoint:
    """What is known before the weights are read. where: file or folder; files: those with the weights.

    words: the folder to look for the tokenizer's files in. notes: what a user should know.
    """

    where: Path
    files: tuple[Path, ...]
    layout: Layout
    config: ClipConfig
    preprocess: Preprocess
    words: Path
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Which evaluator takes it: "clip", "long-clip" or "videoclip-xl"."""
        if self.config.video_frames is not None:
            return "videoclip-xl"
        return "long-clip" if self.config.context == LONG_CONTEXT else "clip"


def read_checkpoint(where: Path, *, quick_gelu: bool | None = None) -> Checkpoint:
    """What the file or folder `where` says of itself. quick_gelu: where the caller knows better than the folder.

    Raises:
        WeightsMissing: the weights that should be there are not.
        WeightsCorrupt: not a checkpoint, or not whole.
        ModelError: another network than those three, or a setting that is not known here.
    """
    found = _read_folder(where) if where.is_dir() else _read_file(where)
    if quick_gelu is not None:
        activation: Activation = "quick_gelu" if quick_gelu else "gelu"
        found = replace(found, config=replace(found.config, activation=activation), notes=())
    return found


def check_kind(checkpoint: Checkpoint, kind: str) -> None:
    """Nothing, when the checkpoint is one for the evaluator `kind`.

    Raises:
        ModelError: it is one for another; the message names that.
    """
    found = checkpoint.kind
    if found != kind:
        config = checkpoint.config
        frames = f" and {config.video_frames} frames" if config.video_frames else ""
        raise ModelError(
            f"{checkpoint.where} is a {KINDS[found]} ({config.context} positions{frames}) and no {KINDS[kind]}; "
            f"name it {found}={checkpoint.where}"
        )


def load_network(checkpoint: Checkpoint) -> ClipNetwork:
    """The network with its weights, float32 on the CPU, in evaluation mode. Nothing in it is random.

    Raises:
        WeightsCorrupt: a tensor is missing, unknown, of another shape, no floating numbers, or not finite.
    """
    import torch

    from models.clip.network import ClipNetwork

    with torch.device("meta"):
        network = ClipNetwork(checkpoint.config, checkpoint.preprocess.mean, checkpoint.preprocess.std)
    needed = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    state = open_state(checkpoint.where, checkpoint.files)
    check_names(state, checkpoint.layout, checkpoint.config, needed)
    tensors = {name: _numbers(state, checkpoint.layout, name) for name in needed}
    _check_finite(state, checkpoint.layout, tensors)
    network.load_state_dict(tensors, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def load_tokenizer(checkpoint: Checkpoint) -> ClipBpe:
    """The checkpoint's own tokenizer, or OpenAI's where it has none.

    Raises:
        WeightsCorrupt: its tokens are more than the network knows, or it cannot be read.
    """
    tokenizer = ClipBpe(vocabulary_in(checkpoint.words))
    highest = max(tokenizer.vocabulary.tokens.values())
    if highest >= checkpoint.config.vocab_size or tokenizer.end_id != highest:
        raise WeightsCorrupt(
            f"{checkpoint.where}: the tokenizer has tokens up to {highest} and ends texts with {tokenizer.end_id}, the "
            f"network knows {checkpoint.config.vocab_size}; fetch both again"
        )
    return tokenizer


def _numbers(state: State, layout: Layout, name: str) -> Tensor:
    import torch

    slot = layout.slot(name)
    stored = slot.read(state)
    if stored.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise WeightsCorrupt(f"{state.where}: {slot.parts[0]!r} holds {stored.dtype}, not floating numbers")
    return stored.to(torch.float32).contiguous()


def _check_finite(state: State, layout: Layout, tensors: Mapping[str, Tensor]) -> None:
    import torch

    # the least and the greatest number show NaN and infinity without a copy of the tensor
    wrong = [
        layout.slot(name).parts[0]
        for name, tensor in tensors.items()
        if not torch.isfinite(torch.stack(torch.aminmax(tensor))).all()
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        names = ", ".join(map(repr, wrong[:3]))
        raise WeightsCorrupt(f"{state.where}: NaN or infinite numbers in {names}{more}; fetch it again")


def _read_folder(folder: Path) -> Checkpoint:
    if (folder / OWN).is_file():
        return _own(folder)
    if (folder / _OPEN_CLIP).is_file() and (files := _weights(folder, _OPEN_CLIP_WEIGHTS)):
        return _open_clip(folder, files)
    if (folder / "config.json").is_file():
        return _transformers(folder)
    if (folder / _OPEN_CLIP).is_file():
        raise WeightsMissing(
            f"{folder} has no {' and no '.join(_OPEN_CLIP_WEIGHTS)}; fetch the checkpoint again"
        )
    alone = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if len(alone) != 1:
        names = ", ".join(file.name for file in alone) or "none"
        raise WeightsMissing(
            f"{folder} holds no checkpoint: neither {OWN}, {_OPEN_CLIP} nor config.json, and of weights {names}; "
            f"give a folder with its config, or one file"
        )
    return _bare(alone[0])


def _read_file(file: Path) -> Checkpoint:
    config = {
        **dict.fromkeys(_OPEN_CLIP_WEIGHTS, _OPEN_CLIP),
        **dict.fromkeys(_TRANSFORMERS_WEIGHTS, "config.json"),
    }
    if file.name in config and (file.parent / config[file.name]).is_file():
        return _read_folder(file.parent)  # its settings are beside it
    return _bare(file)


def _weights(folder: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    """The files with the weights, of the first of `names` that is there whole or in parts; none: empty."""
    for name in names:
        if (folder / name).is_file():
            return (folder / name,)
        if (index := folder / f"{name}.index.json").is_file():
            parts = _json(index).get("weight_map")
            if not isinstance(parts, dict) or not parts:
                raise WeightsCorrupt(f"{index} has no weight_map of tensor names to files; fetch it again")
            plain = sorted({str(part) for part in parts.values()})
            if any(Path(part).name != part for part in plain):
                raise WeightsCorrupt(f"{index} names a file outside of its folder; fetch it again")
            return tuple(folder / part for part in plain)
    return ()


def _own(folder: Path) -> Checkpoint:
    row = _json(folder / OWN)
    try:
        config, preprocess = ClipConfig.from_json(row["config"]), Preprocess.from_json(row["preprocess"])
        notes = tuple(map(str, row["notes"]))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsCorrupt(f"{folder / OWN} is damaged ({error}); make it again") from error
    return Checkpoint(folder, (folder / "model.safetensors",), OPENAI, config, preprocess, folder, notes)


def _open_clip(folder: Path, files: tuple[Path, ...]) -> Checkpoint:
    file = folder / _OPEN_CLIP
    row = _json(file)
    config = open_clip_config(file, row.get("model_cfg"))
    preprocess = open_clip_preprocess(file, row.get("preprocess_cfg"), config.image_size)
    return Checkpoint(folder, files, OPENAI, config, preprocess, folder)


def _transformers(folder: Path) -> Checkpoint:
    file = folder / "config.json"
    row = _json(file)
    if (kind := row.get("model_type")) != "clip":
        raise ModelError(
            f"{file} describes a {kind!r} model; evaluators take 'clip' (CLIP, or Long-CLIP in that form)"
        )
    config = transformers_config(file, row)
    files = _weights(folder, _TRANSFORMERS_WEIGHTS)
    if not files:
        raise WeightsMissing(
            f"{folder} has no {' and no '.join(_TRANSFORMERS_WEIGHTS)}; fetch the checkpoint again"
        )
    said = next((one for name in _PREPROCESSORS if (one := folder / name).is_file()), None)
    preprocess = (
        transformers_preprocess(said, _json(said), config.image_size)
        if said
        else published_preprocess(config.image_size, video=False)
    )
    return Checkpoint(folder, files, TRANSFORMERS, config, preprocess, folder)


_PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")


def _bare(file: Path) -> Checkpoint:
    state = open_state(file, (file,))
    layout = _layout_of(state)
    config = video_config_of(state) if layout is VIDEOCLIP_XL else config_of(state)
    preprocess = published_preprocess(config.image_size, video=config.video_frames is not None)
    # What lies beside a single file need not belong to it: its tokenizer is OpenAI's, as published.
    notes = () if layout is VIDEOCLIP_XL or config.kept_positions is not None else (_ASSUMED,)
    return Checkpoint(file, (file,), layout, config, preprocess, file, notes)


def _layout_of(state: State) -> Layout:
    names = tuple(state.shapes)
    if any(name.startswith("vision_model.vision_encoder.") for name in names):
        return VIDEOCLIP_XL
    for begins, what in _FOREIGN.items():
        if any(name.startswith(begins) for name in names):
            raise ModelError(f"{state.where} is {what}")
    if any(name.startswith(("transformer.resblocks.", "visual.")) for name in names):
        return OPENAI
    some = ", ".join(map(repr, names[:3])) or "none"
    raise WeightsCorrupt(f"{state.where} holds no CLIP; its tensors are called {some} ...")


def _json(file: Path) -> dict[str, Any]:
    try:
        row = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsCorrupt(f"{file} is not valid JSON: {error}; fetch it again") from error
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}") from error
    if not isinstance(row, dict):
        raise WeightsCorrupt(f"{file} holds no JSON object; fetch it again")
    return row
