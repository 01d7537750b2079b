"""OpenAI's names, which open_clip and Long-CLIP keep; and the sizes of a network as its tensors tell them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from models.clip.config import KEPT_POSITIONS, LONG_CONTEXT, VOCAB_SIZE, ClipConfig, Tower
from models.clip.layouts.slots import Layout, Slot
from models.clip.state import Shape, State
from models.errors import WeightsCorrupt

_ONE: tuple[Shape, ...] = ((), (1,))
_HEAD_WIDTH = 64
_DEPTHS: dict[str, dict[int, dict[int, int]]] = {
    # width of a tower -> its published layers -> heads (the model table of open_clip 3.3, those with two transformers)
    "visual.": {
        768: {12: 12},
        896: {12: 14},
        1024: {24: 16},
        1280: {32: 16},
        1408: {40: 16},
        1664: {48: 16},
        1792: {56: 16},
    },
    "": {512: {12: 8}, 640: {12: 10}, 768: {12: 12}, 1024: {24: 16}, 1280: {32: 20, 36: 20}},
}


def _harmless(_config: ClipConfig) -> Mapping[str, tuple[Shape, ...]]:
    return dict.fromkeys(("logit_scale", "input_resolution", "context_length", "vocab_size"), _ONE)


OPENAI = Layout("OpenAI", lambda name: Slot((name,)), _harmless)


def config_of(state: State, *, rename: str = "", vision: str = "visual.") -> ClipConfig:
    """The sizes of the network that `state` holds, told from the shapes of its tensors.

    rename: how the names of the text tower begin; vision: those of the vision tower. Each size is what most of the
    tensors that have it say, so that a single wrong one is found by the check of all names. What no shape tells is as
    published: heads of width 64 (or the published number), quick GELU, norms with 1e-5.

    Raises:
        WeightsCorrupt: the layers have a gap, or end before those that are published for this width; or sizes that no
            network can have.
    """
    sizes = _Sizes(state, rename, vision)
    width, text_width = sizes.most(_VISION_WIDTHS, vision), sizes.most(_TEXT_WIDTHS, rename)
    kernel = sizes.of(vision + "conv1.weight")
    patch = kernel[-1] if len(kernel) >= 4 else 0
    places = sizes.of(vision + "positional_embedding")
    side = math.isqrt(max(places[0] - 1, 0)) if places else 0
    if not patch or side * side + 1 != (places or (0,))[0]:
        raise sizes.wrong(
            vision + ("positional_embedding" if patch else "conv1.weight"), "patches of a square"
        )
    long = (
        rename + "positional_embedding_res" in state.shapes
        or sizes.rows(rename + "positional_embedding") == LONG_CONTEXT
    )
    config = ClipConfig(
        image_size=patch * side,
        patch_size=patch,
        vision=_tower(sizes, vision, "visual.", width),
        text=_tower(sizes, rename, "", text_width),
        embed_dim=sizes.shared(vision + "proj", rename + "text_projection"),
        context=LONG_CONTEXT if long else 77,
        kept_positions=KEPT_POSITIONS if long else None,
        vocab_size=VOCAB_SIZE,
    )
    try:
        config.check()
    except ValueError as error:
        raise WeightsCorrupt(f"{state.where} holds no network: {error}") from error
    return config


# which number of which tensor is the size; "{n}" stands for the layers
_VISION_WIDTHS = (
    ("class_embedding", 0),
    ("positional_embedding", 1),
    ("conv1.weight", 0),
    ("ln_pre.weight", 0),
    ("ln_pre.bias", 0),
    ("ln_post.weight", 0),
    ("ln_post.bias", 0),
    ("proj", 0),
)
_TEXT_WIDTHS = (
    ("positional_embedding", 1),
    ("token_embedding.weight", 1),
    ("ln_final.weight", 0),
    ("ln_final.bias", 0),
    ("text_projection", 0),
)
_HIDDEN = (("c_fc.bias", 0), ("c_fc.weight", 0), ("c_proj.weight", 1))


class _Sizes:
    def __init__(self, state: State, rename: str, vision: str) -> None:
        self.state, self.text, self.vision = state, rename, vision

    def of(self, name: str) -> Shape:
        if name not in self.state.shapes:
            raise WeightsCorrupt(
                f"{self.state.where} is no whole checkpoint: {name!r} is missing; fetch it again"
            )
        return self.state.shapes[name]

    def rows(self, name: str) -> int:
        return (self.of(name) or (0,))[0]

    def most(self, facts: Iterable[tuple[str, int]], *prefixes: str) -> int:
        """The size that most of the tensors have."""
        votes = Counter(
            shape[axis]
            for prefix in prefixes
            for name, axis in facts
            if len(shape := self.state.shapes.get(prefix + name, ())) > axis
        )
        if not votes:
            raise WeightsCorrupt(
                f"{self.state.where} is no whole checkpoint: {prefixes[0] + next(iter(facts))[0]!r} is missing"
            )
        return votes.most_common(1)[0][0]

    def shared(self, name: str, other: str) -> int:
        """The last size of two tensors; there is no third that could tell which of them is wrong."""
        one, two = self.state.shapes.get(name, ()), self.state.shapes.get(other, ())
        if one and two and one[-1] != two[-1]:
            shapes = " and ".join(
                f"{key!r} is {'x'.join(map(str, size))}" for key, size in ((name, one), (other, two))
            )
            raise WeightsCorrupt(
                f"{self.state.where} is no whole checkpoint: {shapes}; their widths must be equal"
            )
        if not one and not two:
            raise WeightsCorrupt(
                f"{self.state.where} is no whole checkpoint: {name!r} is missing; fetch it again"
            )
        return (one or two)[-1]

    def wrong(self, name: str, what: str) -> WeightsCorrupt:
        found = "x".join(map(str, self.of(name))) or "a single number"
        return WeightsCorrupt(f"{self.state.where} is no whole checkpoint: {name!r} is {found}, not {what}")

    def layers(self, prefix: str) -> int:
        """How many layers there are, without a gap."""
        pattern = re.compile(re.escape(prefix) + r"transformer\.resblocks\.(\d+)\.")
        numbers = {int(found[1]) for name in self.state.shapes if (found := pattern.match(name))}
        gaps = sorted(set(range(max(numbers, default=-1) + 1)) - numbers)
        if not numbers or gaps:
            gone = f"{prefix}transformer.resblocks.{gaps[0] if gaps else 0}"
            raise WeightsCorrupt(
                f"{self.state.where} is no whole checkpoint: layer {gone!r} is missing; fetch it again"
            )
        return len(numbers)


def _tower(sizes: _Sizes, prefix: str, tower: str, width: int) -> Tower:
    layers = sizes.layers(prefix)
    published = _DEPTHS[tower].get(width)
    if published is not None and layers not in published:
        depths = " or ".join(map(str, published))
        raise WeightsCorrupt(
            f"{sizes.state.where} is no whole checkpoint: {prefix + 'transformer.resblocks'!r} has {layers} layers of "
            f"width {width}; the published networks have {depths}; fetch it again"
        )
    if published is None and width % _HEAD_WIDTH:
        raise WeightsCorrupt(
            f"{sizes.state.where}: heads of {_HEAD_WIDTH} do not divide the width {width} of "
            f"{prefix + 'transformer'!r}; a file alone cannot tell its heads, so give the folder with its config"
        )
    heads = published[layers] if published is not None else width // _HEAD_WIDTH
    mlps = [f"transformer.resblocks.{n}.mlp." for n in range(layers)]
    facts = [(mlp + name, axis) for mlp in mlps for name, axis in _HIDDEN]
    hidden = sizes.most(facts, prefix)
    return Tower(width, layers, heads, hidden)
