"""CLIP, Long-CLIP and ViCLIP (VideoCLIP-XL's video tower) as one network, its tensors named as OpenAI named them.

Letters: N pictures or texts, B clips, T frames, S side in pixels, P patches, L tokens, W width of a tower, D width of the
features. Two savings change no number: the last layer computes only the position that is pooled, and since texts look
backwards only, their padding may be cut to any length.

Sources: Radford et al. 2021 (CLIP), Zhang et al. 2024 (Long-CLIP), Wang et al. 2023 (ViCLIP: joint space-time attention).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.clip.config import KEPT_POSITIONS, Activation, ClipConfig, Tower
from models.clip.preprocess import CLIP_MEAN, CLIP_STD


class Attention(nn.Module):
    """Attention of several heads, queries, keys and values in one packed matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, *, causal: bool) -> Tensor:
        """(N, L, W) -> (N, L, W); causal: each position looks at itself and those before it."""
        q, k, v = F.linear(tokens, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(
            self._split(q), self._split(k), self._split(v), is_causal=causal
        )
        return self._joined(mixed)

    def pooled(self, query: Tensor, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """What (N, 1, W) sees of (N, L, W) -> (N, 1, W); mask (N, 1, 1, L): True where it may look."""
        weight, bias, width = self.in_proj_weight, self.in_proj_bias, self.width
        q = F.linear(query, weight[:width], bias[:width])
        k, v = F.linear(tokens, weight[width:], bias[width:]).chunk(2, dim=-1)
        mixed = F.scaled_dot_product_attention(self._split(q), self._split(k), self._split(v), attn_mask=mask)
        return self._joined(mixed)

    def _split(self, tokens: Tensor) -> Tensor:
        rows, length, _ = tokens.shape
        return tokens.reshape(rows, length, self.heads, self.width // self.heads).transpose(1, 2)

    def _joined(self, mixed: Tensor) -> Tensor:
        joined: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(-2))
        return joined


class Mlp(nn.Module):
    """The two linear maps of a layer."""

    def __init__(self, width: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, hidden)
        self.c_proj = nn.Linear(hidden, width)
        self.quick = activation == "quick_gelu"

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., W) -> (..., W)."""
        hidden = self.c_fc(tokens)
        hidden = hidden * torch.sigmoid(1.702 * hidden) if self.quick else F.gelu(hidden)
        out: Tensor = self.c_proj(hidden)
        return out


class Layer(nn.Module):
    """One residual layer with norms before its parts."""

    def __init__(self, tower: Tower, activation: Activation, eps: float) -> None:
        super().__init__()
        self.attn = Attention(tower.width, tower.heads)
        self.ln_1 = nn.LayerNorm(tower.width, eps=eps)
        self.mlp = Mlp(tower.width, tower.hidden, activation)
        self.ln_2 = nn.LayerNorm(tower.width, eps=eps)

    def forward(self, tokens: Tensor, *, causal: bool) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        tokens = tokens + self.attn(self.ln_1(tokens), causal=causal)
        out: Tensor = tokens + self.mlp(self.ln_2(tokens))
        return out

    def pooled(self, tokens: Tensor, at: Tensor | None) -> Tensor:
        """What the layer would give at one position of each row, (N, L, W) -> (N, W); at: (N,), None for the first.

        With `at` the layer is causal, so what stands behind a row's position is not looked at.
        """
        normed = self.ln_1(tokens)
        mask = None
        if at is None:
            one, query = tokens[:, :1], normed[:, :1]
        else:
            index = at[:, None, None].expand(-1, 1, tokens.shape[-1])
            one, query = tokens.gather(1, index), normed.gather(1, index)
            mask = (torch.arange(tokens.shape[1], device=at.device) <= at[:, None])[:, None, None]
        one = one + self.attn.pooled(query, normed, mask)
        out: Tensor = one + self.mlp(self.ln_2(one))
        return out.squeeze(1)


class Transformer(nn.Module):
    """A stack of layers that gives one position of each row."""

    def __init__(self, tower: Tower, activation: Activation, eps: float) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Layer(tower, activation, eps) for _ in range(tower.layers))

    def forward(self, tokens: Tensor, *, at: Tensor | None = None) -> Tensor:
        """(N, L, W) -> (N, W): the first position of each row, or that in `at` (N,), and then causal."""
        *layers, last = self.resblocks
        for layer in layers:
            tokens = layer(tokens, causal=at is not None)
        assert isinstance(last, Layer)
        return last.pooled(tokens, at)


class VisionTower(nn.Module):
    """Pictures, or whole clips, as features."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        width, eps = config.vision.width, config.norm_eps
        self.conv1 = nn.Conv2d(3, width, config.patch_size, config.patch_size, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(config.patches + 1, width))
        if config.video_frames is not None:
            self.temporal_positional_embedding = nn.Parameter(torch.empty(1, config.video_frames, width))
        self.ln_pre = nn.LayerNorm(width, eps=eps)
        self.transformer = Transformer(config.vision, config.activation, eps)
        self.ln_post = nn.LayerNorm(width, eps=eps)
        self.proj = nn.Parameter(torch.empty(width, config.embed_dim))

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S), normalised -> (N, D)."""
        return self._features(self._patches(pixels))

    def clips(self, pixels: Tensor) -> Tensor:
        """(B, T, 3, S, S), normalised -> (B, D); T as trained, or 1."""
        clips, frames = pixels.shape[:2]
        patches = self._patches(pixels.flatten(0, 1))
        patches = patches.reshape(clips, frames, *patches.shape[1:])  # (B, T, P, W)
        times = self.temporal_positional_embedding[0]
        if frames == 1:  # a still picture has no place in time: the mean of all
            times = times.mean(0, keepdim=True)
        return self._features((patches + times[:, None]).flatten(1, 2))

    def _patches(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, P, W), each patch with its place."""
        patches: Tensor = self.conv1(pixels)
        return patches.flatten(2).transpose(1, 2) + self.positional_embedding[1:]

    def _features(self, patches: Tensor) -> Tensor:
        # One class token, whatever the number of frames; it has a place, but no time.
        first = (self.class_embedding + self.positional_embedding[0]).expand(patches.shape[0], 1, -1)
        pooled = self.transformer(self.ln_pre(torch.cat([first, patches], dim=1)))
        out: Tensor = self.ln_post(pooled) @ self.proj
        return out


class ClipNetwork(nn.Module):
    """Both towers.

    mean, std: per channel, of pixels in [0, 1]. Made on the meta device and filled with weights by the loader: what it is
    made with has no meaning.
    """

    def __init__(
        self,
        config: ClipConfig,
        mean: tuple[float, float, float] = CLIP_MEAN,
        std: tuple[float, float, float] = CLIP_STD,
    ) -> None:
        super().__init__()
        self.config = config
        # Plain numbers, not buffers: casting the weights to float16 must not round these.
        self._scale = [1 / (255 * one) for one in std]
        self._shift = [-middle / one for middle, one in zip(mean, std, strict=True)]
        self.visual = VisionTower(config)
        width = config.text.width
        self.token_embedding = nn.Embedding(config.vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(config.context, width))
        if config.kept_positions is not None:
            self.positional_embedding_res = nn.Parameter(torch.empty(config.context, width))
        self.transformer = Transformer(config.text, config.activation, config.norm_eps)
        self.ln_final = nn.LayerNorm(width, eps=config.norm_eps)
        self.text_projection = nn.Parameter(torch.empty(width, config.embed_dim))

    def image_features(self, pixels: Tensor) -> Tensor:
        """(N, S, S, 3) uint8 -> (N, D) float32 of length 1."""
        return _of_length_one(self.visual(self._normalised(pixels).permute(0, 3, 1, 2)))

    def video_features(self, pixels: Tensor) -> Tensor:
        """(B, T, S, S, 3) uint8, T = `config.video_frames` or 1 -> (B, D) float32 of length 1."""
        return _of_length_one(self.visual.clips(self._normalised(pixels).permute(0, 1, 4, 2, 3)))

    def text_features(self, ids: Tensor, ends: Tensor) -> Tensor:
        """(N, L) int64, of any L up to the context -> (N, D) float32 of length 1.

        ends: (N,) int64, the place of each text's end mark; what stands behind it is not read.
        """
        tokens = self.token_embedding(ids) + self._positions()[: ids.shape[1]]
        return _of_length_one(self.ln_final(self.transformer(tokens, at=ends)) @ self.text_projection)

    def _positions(self) -> Tensor:
        kept = self.config.kept_positions
        if kept is None:
            return self.positional_embedding
        return torch.cat([self.positional_embedding[:kept], self.positional_embedding_res[kept:]])

    def _normalised(self, pixels: Tensor) -> Tensor:
        scale, shift = (
            torch.tensor(row, dtype=torch.float32, device=pixels.device) for row in (self._scale, self._shift)
        )
        return (pixels.to(torch.float32) * scale + shift).to(self.visual.conv1.weight.dtype)


def stretch_positions(table: Tensor, kept: int = KEPT_POSITIONS) -> Tensor:
    """CLIP's (77, W) positions as Long-CLIP's (248, W): the first 20 kept, between the others three more each.

    This is how Long-CLIP's training begins (Zhang et al. 2024, section 3.2; the last position goes on in the direction of
    the last step). NOTE: a CLIP with such positions is an *untrained* Long-CLIP; its scores of long texts mean little.
    """
    parts = torch.arange(4, dtype=table.dtype, device=table.device)[None, :, None] / 4
    late = table[kept:]
    steps = torch.cat([late[1:] - late[:-1], late[-1:] - late[-2:-1]])
    return torch.cat([table[:kept], (late[:, None] + parts * steps[:, None]).flatten(0, 1)])


def _of_length_one(features: Tensor) -> Tensor:
    wide = features.to(torch.float32)
    length: Tensor = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    return wide / length
