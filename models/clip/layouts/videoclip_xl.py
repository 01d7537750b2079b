"""The layout of `VideoCLIP-XL.bin`: Long-CLIP's text tower, and ViCLIP's vision tower with a kernel for one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from models.clip.config import ClipConfig
from models.clip.layouts.openai import config_of
from models.clip.layouts.slots import Layout, Slot
from models.clip.state import Shape, State
from models.errors import WeightsCorrupt

TEXT, VISION = "text_model.", "vision_model.vision_encoder."
_TIMES = VISION + "temporal_positional_embedding"


def _slot(name: str) -> Slot:
    if not name.startswith("visual."):
        return Slot((TEXT + name,))
    stored = VISION + name.removeprefix("visual.")
    return Slot((stored,), inflated=name == "visual.conv1.weight")


def _harmless(_config: ClipConfig) -> Mapping[str, tuple[Shape, ...]]:
    # a temperature each of training; the cosine needs none
    return dict.fromkeys((TEXT + "logit_scale", "vision_model.temp"), ((), (1,)))


VIDEOCLIP_XL = Layout("VideoCLIP-XL", _slot, _harmless)


def video_config_of(state: State) -> ClipConfig:
    """The sizes of the network that `state` holds.

    Raises:
        WeightsCorrupt: as `config_of`.
    """
    times = state.shapes.get(_TIMES, ())
    if len(times) != 3:
        found = "is missing" if _TIMES not in state.shapes else "has no three axes"
        raise WeightsCorrupt(f"{state.where} is no whole checkpoint: {_TIMES!r} {found}; fetch it again")
    return replace(config_of(state, rename=TEXT, vision=VISION), video_frames=times[1])
