"""What a CLIP-like network consists of: sizes, and the choices that its weights alone do not tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

Activation = Literal["quick_gelu", "gelu"]

VOCAB_SIZE = 49408
"""Tokens of CLIP's vocabulary: 512 for bytes, 48,894 for merges, the start mark and, last, the end mark."""
LONG_CONTEXT, KEPT_POSITIONS = 248, 20
"""Long-CLIP (Zhang et al. 2024, section 3.2): 77 positions, the first 20 kept, the other 57 stretched four times."""


@dataclass(frozen=True)
class Tower:
    """One transformer. width: of its tokens; heads: divide the width; hidden: width inside its MLPs."""

    width: int
    layers: int
    heads: int
    hidden: int


@dataclass(frozen=True)
class ClipConfig:
    """One network.

    image_size, patch_size: in pixels, square. context: positions of a text, start and end mark included. kept_positions:
    of Long-CLIP's two tables of positions the first gives that many, the second the rest; None where there is one table.
    embed_dim: width D of the features that both towers give. norm_eps: of the layer norms. video_frames: how many frames
    of a clip the vision tower sees at once; None for an image model. end_id: the end mark, at which texts are pooled.
    """

    image_size: int
    patch_size: int
    vision: Tower
    text: Tower
    embed_dim: int
    context: int = 77
    kept_positions: int | None = None
    vocab_size: int = VOCAB_SIZE
    activation: Activation = "quick_gelu"
    norm_eps: float = 1e-5
    video_frames: int | None = None
    end_id: int = VOCAB_SIZE - 1

    @property
    def patches(self) -> int:
        """How many patches one picture has."""
        return (self.image_size // self.patch_size) ** 2

    def to_json(self) -> dict[str, Any]:
        """Its fields, as they are stored with converted weights."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> ClipConfig:
        """The inverse of `to_json`.

        Raises:
            ValueError: a field is missing, unknown, or has a value that no network can have.
        """
        try:
            towers = {name: Tower(**row[name]) for name in ("vision", "text")}
            config = cls(**{**row, **towers})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the settings of a CLIP-like network: {error}") from error
        config.check()
        return config

    def check(self) -> None:
        """Nothing.

        Raises:
            ValueError: no network can be of these sizes; the message names the value.
        """
        for name in ("vision", "text"):
            _check_tower(name, cast("Tower", getattr(self, name)))
        for name in ("image_size", "patch_size", "embed_dim", "context", "vocab_size"):
            _check_count(name, getattr(self, name))
        if self.image_size % self.patch_size:
            raise ValueError(f"patch_size {self.patch_size} does not divide image_size {self.image_size}")
        if self.activation not in ("quick_gelu", "gelu"):
            raise ValueError(f"activation must be quick_gelu or gelu, not {self.activation!r}")
        if self.kept_positions is not None and not 0 < self.kept_positions < self.context:
            raise ValueError(
                f"kept_positions must be below context {self.context}, not {self.kept_positions}"
            )
        if self.video_frames is not None:
            _check_count("video_frames", self.video_frames)
        if not 0 <= self.end_id < self.vocab_size:
            raise ValueError(f"end_id {self.end_id} is not in a vocabulary of {self.vocab_size}")
        if not 0 < self.norm_eps < 1:
            raise ValueError(f"norm_eps must lie between 0 and 1, not {self.norm_eps!r}")


def _check_tower(name: str, tower: Tower) -> None:
    for field, value in asdict(tower).items():
        _check_count(f"{name}.{field}", value)
    if tower.width % tower.heads:
        raise ValueError(f"{name}.heads {tower.heads} do not divide {name}.width {tower.width}")


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number above 0, not {value!r}")
