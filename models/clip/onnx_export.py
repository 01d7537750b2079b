"""The towers as ONNX graphs, for any batch and any length of text.

The same network as `network.py`, laid out for ONNX Runtime, to the same numbers within 1e-5 in float32:
- linear maps work on (rows, width), which one `Gemm` does with its bias, a little faster than the network as it stands.
- whole clips attend with ONNX Runtime's own operator (com.microsoft MultiHeadAttention), which is faster over the 2049
  tokens of VideoCLIP-XL and never holds all of its scores. For the 50 tokens of an image or the 77 of a text it gained
  nothing, so that those graphs are of standard operators.
- patches are cut out by a transpose, and one `Gemm` does both the normalising of pixels and the embedding.
- the last layer computes only what is pooled, keys and values not at all: q . (K x) is (K' q) . x, and the mean of V x is
  V of the mean of x.

Letters: N pictures or texts, B clips, T frames, S side in pixels, P patches, L tokens, W width of a tower, H heads, D width
of the features.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.clip.network import ClipNetwork, Layer, Transformer, VisionTower

EXPORT_VERSION = 1
"""Raised when the graphs change, so that older ones are not used any more."""
_OPSET = 20


def export_towers(network: ClipNetwork, folder: Path, *, half: bool = False) -> list[str]:
    """Writes `vision.onnx` and `text.onnx` with their weights beside them; gives back the names of all files.

    vision: `pixels` (N, S, S, 3) uint8 -> `features` (N, D) float32 of length 1; of a video model (B, T, S, S, 3), and
    `moments` (T,) int64: 1 to T, or 0 for a still picture. text: `ids` (N, L) int64 and `ends` (N,) int64, the place of
    each end mark -> `features` (N, D). half: weights and arithmetic in float16. `network` is on the CPU in float32; with
    `half` it is of no use afterwards.

    Raises:
        OSError: no room.
    """
    size, frames = network.config.image_size, network.config.video_frames
    ids, ends = torch.zeros((3, 7), dtype=torch.int64), torch.tensor([6, 2, 4])
    with torch.no_grad():
        if frames is None:
            pixels = torch.zeros((3, size, size, 3), dtype=torch.uint8)
            _save(_Images(network, half), {"pixels": pixels}, ({0: "n"},), folder / "vision.onnx")
        else:
            clips = torch.zeros((3, 2, size, size, 3), dtype=torch.uint8)
            inputs = {"pixels": clips, "moments": torch.tensor([1, 2])}
            _save(_Videos(network, half), inputs, ({0: "b", 1: "t"}, {0: "t"}), folder / "vision.onnx")
        _save(
            _Texts(network, half),
            {"ids": ids, "ends": ends},
            ({0: "n", 1: "l"}, {0: "n"}),
            folder / "text.onnx",
        )
    return sorted(file.name for file in folder.iterdir())


class _Block(nn.Module):
    """One layer, all positions: (N, L, W) -> (N, L, W)."""

    def __init__(self, layer: Layer, causal: bool, fused: bool) -> None:
        super().__init__()
        self.layer, self.causal, self.fused = layer, causal, fused

    def forward(self, tokens: Tensor) -> Tensor:
        layer, attn = self.layer, self.layer.attn
        packed = _flat(layer.ln_1(tokens), attn.in_proj_weight, attn.in_proj_bias)
        parts = packed.chunk(3, dim=-1)
        mixed = _fused(parts, attn.heads) if self.fused else _attended(parts, attn.heads, self.causal)
        tokens = tokens + _flat(mixed, attn.out_proj.weight, attn.out_proj.bias)
        hidden = _flat(layer.ln_2(tokens), layer.mlp.c_fc.weight, layer.mlp.c_fc.bias)
        return tokens + _flat(_bent(hidden, layer), layer.mlp.c_proj.weight, layer.mlp.c_proj.bias)


class _Pooled(nn.Module):
    """The last layer at one position of each row: (N, L, W) -> (N, W)."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        attn, width = layer.attn, layer.attn.width
        self.layer, self.heads = layer, attn.heads
        weight, bias = attn.in_proj_weight.detach(), attn.in_proj_bias.detach()
        by_head = (attn.heads, width // attn.heads, width)
        scale = 1 / math.sqrt(by_head[1])
        self.q_weight = nn.Buffer(weight[:width] * scale)
        self.q_bias = nn.Buffer(bias[:width] * scale)
        # The keys' bias adds the same to the score of every position, which softmax does not see.
        self.k_weight = nn.Buffer(weight[width : 2 * width].reshape(by_head).clone())
        self.v_weight = nn.Buffer(weight[2 * width :].reshape(by_head).transpose(1, 2).contiguous())
        self.v_bias = nn.Buffer(bias[2 * width :].clone())

    def forward(self, tokens: Tensor, at: Tensor | None) -> Tensor:
        layer, normed = self.layer, self.layer.ln_1(tokens)
        one, first = _picked(tokens, at), _picked(normed, at)
        q = F.linear(first, self.q_weight, self.q_bias).reshape(one.shape[0], self.heads, 1, -1)
        scores = (q @ self.k_weight).squeeze(2) @ normed.transpose(1, 2)  # (N, H, L)
        if at is not None:
            hidden = torch.arange(tokens.shape[1]) > at[:, None]
            scores = scores.masked_fill(hidden[:, None], float("-inf"))
        mixed = (scores.softmax(-1) @ normed)[:, :, None] @ self.v_weight  # (N, H, 1, W / H)
        one = one + layer.attn.out_proj(mixed.flatten(1) + self.v_bias)
        out: Tensor = one + layer.mlp.c_proj(_bent(layer.mlp.c_fc(layer.ln_2(one)), layer))
        return out


class _Layers(nn.Module):
    def __init__(self, transformer: Transformer, *, causal: bool = False, fused: bool = False) -> None:
        super().__init__()
        *layers, last = [layer for layer in transformer.resblocks if isinstance(layer, Layer)]
        self.layers = nn.ModuleList(_Block(layer, causal, fused) for layer in layers)
        self.last = _Pooled(last)

    def forward(self, tokens: Tensor, at: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens)
        out: Tensor = self.last(tokens, at)
        return out


class _Images(nn.Module):
    """(N, S, S, 3) uint8 -> (N, D)."""

    def __init__(self, network: ClipNetwork, half: bool) -> None:
        super().__init__()
        tower: VisionTower = network.visual
        self.side = network.config.patch_size
        self.grid = network.config.image_size // self.side
        self.layers = _Layers(tower.transformer, fused=network.config.video_frames is not None)
        self.ln_pre, self.ln_post, self.proj = tower.ln_pre, tower.ln_post, tower.proj
        kernel = tower.conv1.weight.detach().permute(0, 2, 3, 1)  # (W, side, side, 3), as pixels lie
        # The channel's numbers repeated for every pixel of a patch.
        scale, shift = (torch.tensor(row).repeat(self.side**2) for row in (network._scale, network._shift))
        flat = kernel.flatten(1)
        if half:  # folded into them, the scale would make the weights too small for float16
            self.kernel, self.bias = nn.Buffer(flat), None
            self.scale, self.shift = scale, shift
        else:
            self.kernel, self.bias = nn.Buffer(flat * scale), nn.Buffer(flat @ shift)
        places = tower.positional_embedding.detach()
        self.first = nn.Buffer((tower.class_embedding.detach() + places[0])[None, None])
        self.places = nn.Buffer(places[1:].clone())
        self.half_ = half
        if half:
            self.to(torch.float16)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.pooled(self.patches(pixels) + self.places)

    def patches(self, pixels: Tensor) -> Tensor:
        """(N, S, S, 3) -> (N, P, W)."""
        count, grid, side = pixels.shape[0], self.grid, self.side
        cut = pixels.reshape(count, grid, side, grid, side, 3).transpose(2, 3)
        rows = cut.reshape(count * grid * grid, side * side * 3).to(torch.float32)
        if self.half_:
            rows = (rows * self.scale + self.shift).to(torch.float16)
        return F.linear(rows, self.kernel, self.bias).reshape(count, grid * grid, -1)

    def pooled(self, patches: Tensor) -> Tensor:
        """(N, P, W) -> (N, D)."""
        tokens = self.ln_pre(torch.cat([self.first.expand(patches.shape[0], -1, -1), patches], dim=1))
        return _unit(self.ln_post(self.layers(tokens)) @ self.proj)


class _Videos(_Images):
    """(B, T, S, S, 3) uint8, (T,) -> (B, D)."""

    def __init__(self, network: ClipNetwork, half: bool) -> None:
        super().__init__(network, half)
        times = network.visual.temporal_positional_embedding.detach()[0]
        times = torch.cat([times.mean(0, keepdim=True), times])
        self.times = nn.Buffer(times.to(torch.float16) if half else times)

    def forward(self, pixels: Tensor, moments: Tensor) -> Tensor:  # type: ignore[override]
        clips, frames = pixels.shape[:2]
        patches = self.patches(pixels.flatten(0, 1)) + self.places
        patches = patches.reshape(clips, frames, patches.shape[1], -1) + self.times[moments][:, None]
        return self.pooled(patches.flatten(1, 2))


class _Texts(nn.Module):
    """(N, L) int64, (N,) int64 -> (N, D)."""

    def __init__(self, network: ClipNetwork, half: bool) -> None:
        super().__init__()
        self.embedding, self.ln_final = network.token_embedding, network.ln_final
        self.projection = network.text_projection
        self.places = nn.Buffer(network._positions().detach().clone())
        self.layers = _Layers(network.transformer, causal=True)
        if half:
            self.to(torch.float16)

    def forward(self, ids: Tensor, ends: Tensor) -> Tensor:
        tokens = self.embedding(ids) + self.places[: ids.shape[1]]
        return _unit(self.ln_final(self.layers(tokens, ends)) @ self.projection)


def _flat(tokens: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    rows, length, _ = tokens.shape
    return F.linear(tokens.flatten(0, 1), weight, bias).reshape(rows, length, weight.shape[0])


def _attended(parts: tuple[Tensor, ...], heads: int, causal: bool) -> Tensor:
    rows, length, width = parts[0].shape
    q, k, v = (part.reshape(rows, length, heads, width // heads).transpose(1, 2) for part in parts)
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(-2)


def _fused(parts: tuple[Tensor, ...], heads: int) -> Tensor:
    one = parts[0]
    out: Tensor = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        parts,
        {"num_heads": heads},
        dtype=one.dtype,
        shape=one.shape,
        version=1,
    )
    return out


def _bent(hidden: Tensor, layer: Layer) -> Tensor:
    return hidden * torch.sigmoid(1.702 * hidden) if layer.mlp.quick else F.gelu(hidden)


def _picked(tokens: Tensor, at: Tensor | None) -> Tensor:
    if at is None:
        return tokens[:, 0]
    return tokens.gather(1, at[:, None, None].expand(-1, 1, tokens.shape[-1])).squeeze(1)


def _unit(features: Tensor) -> Tensor:
    wide = features.to(torch.float32)
    length: Tensor = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    return wide / length


def _save(tower: nn.Module, inputs: dict[str, Tensor], dynamic: tuple[Any, ...], path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            tower.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=["features"],
            dynamic_shapes=dynamic,
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.save(path, external_data=True)
