"""The layout of `VideoCLIP-XL.bin`: Long-CLIP's text tower, and ViCLIP's vision tower with a kernel for one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from models.clip.config import ClipConfig
from models.clip.layouts.openai import config_of
from models.clip.layouts.slots import Layout, Slot
from models.clip.state import Shape, State

TEXT, VISION = "text_model.", "vision_model.vision_encoder."
VIDEO_FRAMES = 8


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
    """The sizes of the network that `state` holds; it has 8 moments, as the only published one.

    Raises:
        WeightsCorrupt: as `config_of`.
    """
    return replace(config_of(state, rename=TEXT, vision=VISION), video_frames=VIDEO_FRAMES)
