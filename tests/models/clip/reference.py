"""A second reading of the published networks, for parity alone: plain, slow, by nn.MultiheadAttention.

Written from the papers and the published programs of Long-CLIP (its `encode_text`) and VideoCLIP-XL (ViCLIP's
VisionTransformer with a kernel of one frame), not from models/clip/network.py.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tests.models.clip.tiny import LAYERS, PATCH, Tensors


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); tokens come first, as nn.MultiheadAttention likes it."""

    def __init__(self, state: dict[str, Tensor], name: str, width: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // 64)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})
        self.load_state_dict({k.removeprefix(name): v for k, v in state.items() if k.startswith(name)})

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        seen = self.ln_1(x)
        x = x + self.attn(seen, seen, seen, need_weights=False, attn_mask=mask)[0]
        hidden = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](hidden * torch.sigmoid(1.702 * hidden))


def text_features(tensors: Tensors, tokens: Tensor, *, prefix: str = "") -> Tensor:
    """Long-CLIP's texts: (N, 248) padded with zeros -> (N, D) of length 1."""
    state = {k: torch.from_numpy(v) for k, v in tensors.items()}
    length, width = 248, state[f"{prefix}ln_final.weight"].numel()
    first = torch.zeros(length, 1)
    first[:20] = 1
    places = state[f"{prefix}positional_embedding"] * first + state[f"{prefix}positional_embedding_res"] * (
        1 - first
    )
    x = (state[f"{prefix}token_embedding.weight"][tokens] + places).permute(1, 0, 2)
    mask = torch.full((length, length), float("-inf")).triu(1)
    for n in range(LAYERS):
        x = Block(state, f"{prefix}transformer.resblocks.{n}.", width)(x, mask)
    x = _norm(x.permute(1, 0, 2), state, f"{prefix}ln_final")
    pooled = x[torch.arange(len(x)), tokens.argmax(dim=-1)]  # the end mark is the highest token
    return _unit(pooled @ state[f"{prefix}text_projection"])


def image_features(tensors: Tensors, pixels: Tensor) -> Tensor:
    """Pictures, (N, 3, S, S) normalised -> (N, D) of length 1."""
    state = {k: torch.from_numpy(v) for k, v in tensors.items()}
    x = nn.functional.conv2d(pixels, state["visual.conv1.weight"], stride=PATCH)
    x = x.reshape(*x.shape[:2], -1).permute(0, 2, 1)
    first = state["visual.class_embedding"] + torch.zeros(len(x), 1, x.shape[-1])
    x = torch.cat([first, x], dim=1) + state["visual.positional_embedding"]
    return _vision_end(x, state, "visual.")


def video_features(tensors: Tensors, pixels: Tensor) -> Tensor:
    """ViCLIP, (B, T, 3, S, S) normalised -> (B, D) of length 1."""
    prefix = "vision_model.vision_encoder."
    state = {k: torch.from_numpy(v) for k, v in tensors.items()}
    x = nn.functional.conv3d(
        pixels.permute(0, 2, 1, 3, 4), state[f"{prefix}conv1.weight"], stride=(1, PATCH, PATCH)
    )
    clips, width, frames, high, wide = x.shape
    x = x.permute(0, 2, 3, 4, 1).reshape(clips * frames, high * wide, width)
    first = state[f"{prefix}class_embedding"] + torch.zeros(clips * frames, 1, width)
    x = torch.cat([first, x], dim=1) + state[f"{prefix}positional_embedding"]
    first, x = x[:clips, :1], x[:, 1:]  # one class token for each clip
    x = x.reshape(clips, frames, high * wide, width).permute(0, 2, 1, 3)
    times = state[f"{prefix}temporal_positional_embedding"]
    x = x + (times.mean(1) if frames == 1 else times)
    x = torch.cat([first, x.reshape(clips, -1, width)], dim=1)
    return _vision_end(x, state, prefix)


def _vision_end(x: Tensor, state: dict[str, Tensor], prefix: str) -> Tensor:
    x = _norm(x, state, f"{prefix}ln_pre").permute(1, 0, 2)
    for n in range(LAYERS):
        x = Block(state, f"{prefix}transformer.resblocks.{n}.", x.shape[-1])(x)
    return _unit(_norm(x, state, f"{prefix}ln_post")[0] @ state[f"{prefix}proj"])


def normalised(pixels: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(..., S, S, 3) uint8 -> (..., 3, S, S) float32."""
    return torch.from_numpy(((pixels / 255.0 - np.array(mean)) / np.array(std)).astype(np.float32)).movedim(
        -1, -3
    )


def _norm(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    return nn.functional.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)
