"""From frames to what a vision tower takes. Without torch, so that the processes that decode can do it.

Normalising is the network's first step: (pixel / 255 - mean) / std; what travels is uint8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocess:
    """What was done to pictures when the weights were trained; hashable, so that equal ones share the work.

    size: side of the square in pixels. resize: "crop" makes the shorter side `size` and cuts the middle out (CLIP);
    "squash" makes both sides `size` (VideoCLIP-XL). interpolation: "bicubic" (Pillow's, with antialiasing) or
    "bilinear" (OpenCV's). mean, std: per channel, of pixels in [0, 1].
    """

    size: int = 224
    resize: Literal["crop", "squash"] = "crop"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(T, H, W, 3) uint8 sRGB -> (T, size, size, 3) uint8."""
        out = np.empty((len(frames), self.size, self.size, 3), np.uint8)
        for number, frame in enumerate(frames):
            out[number] = (
                self._cropped(frame) if self.resize == "crop" else self._resized(frame, self.size, self.size)
            )
        return out

    def to_json(self) -> dict[str, Any]:
        """Its fields, as they are stored with converted weights."""
        return {
            "size": self.size,
            "resize": self.resize,
            "interpolation": self.interpolation,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Preprocess:
        """The inverse of `to_json`."""
        return cls(row["size"], row["resize"], row["interpolation"], tuple(row["mean"]), tuple(row["std"]))

    def _cropped(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        high, wide = frame.shape[:2]
        # torchvision's Resize rounds the longer side down, and its CenterCrop rounds the offsets to even.
        if wide <= high:
            resized = self._resized(frame, self.size, max(self.size, int(self.size * high / wide)))
        else:
            resized = self._resized(frame, max(self.size, int(self.size * wide / high)), self.size)
        top = round((resized.shape[0] - self.size) / 2.0)
        left = round((resized.shape[1] - self.size) / 2.0)
        return resized[top : top + self.size, left : left + self.size]

    def _resized(self, frame: NDArray[np.uint8], wide: int, high: int) -> NDArray[np.uint8]:
        if self.interpolation == "bicubic":
            from PIL import Image

            return np.asarray(Image.fromarray(frame).resize((wide, high), Image.Resampling.BICUBIC), np.uint8)
        import cv2

        return np.asarray(cv2.resize(frame, (wide, high), interpolation=cv2.INTER_LINEAR), np.uint8)
