"""Both towers with torch, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.clip.checks import check_images, check_texts, check_videos
from models.clip.encoder import Card, ClipTokenizer
from models.clip.network import ClipNetwork
from models.clip.tokenizer import end_of
from models.errors import CapabilityError, ModelError

_FRAMES_CPU, _FRAMES_GPU = 16, 64
_TEXTS_PER_FRAME = 4


class TorchEncoder:
    """A `ClipEncoder`. See models/clip/encoder.py for what its methods take and give."""

    def __init__(
        self,
        card: Card,
        tokenizer: ClipTokenizer,
        network_loader: Callable[[], ClipNetwork],
        *,
        device: str = "auto",
        dtype: str = "auto",
        batch: int | None = None,
    ) -> None:
        """batch: frames at once; None chooses.

        Raises:
            CapabilityError: no such device or dtype here.
            ModelError: as the loader.
        """
        import torch

        self.card = card
        self.tokenizer: ClipTokenizer = tokenizer
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        self.settings = {"backend": "torch", "device": self.device, "dtype": self.dtype}
        network = network_loader()
        self.config = network.config
        self._network = network.to(device=self.device, dtype=getattr(torch, self.dtype))
        self._batch = batch or (_FRAMES_CPU if self.device == "cpu" else _FRAMES_GPU)

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, S, S, 3) uint8 -> (N, D) float32 of length 1."""
        check_images(self.config, pixels)
        return self._in_batches(
            len(pixels), 1, lambda rows: self._network.image_features(self._tensor(pixels[rows]))
        )

    def encode_videos(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, T, S, S, 3) uint8 -> (B, D) float32 of length 1."""
        check_videos(self.config, pixels)
        # a frame of a clip weighs as much as a picture, and attends to all others
        frames = max(pixels.shape[1], 1)
        return self._in_batches(
            len(pixels), 1 / frames, lambda rows: self._network.video_features(self._tensor(pixels[rows]))
        )

    def encode_texts(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(N, D) float32 of length 1."""
        check_texts(self.config, ids)
        ends = [end_of(row) for row in ids]
        order = sorted(range(len(ids)), key=ends.__getitem__)  # like lengths together: less padding

        def features(rows: slice) -> Any:
            chosen = order[rows]
            longest = ends[chosen[-1]] + 1
            table = np.zeros((len(chosen), longest), np.int64)
            for row, n in enumerate(chosen):
                table[row, : ends[n] + 1] = ids[n][: ends[n] + 1]
            return self._network.text_features(
                self._tensor(table), self._tensor(np.array([ends[n] for n in chosen]))
            )

        found = self._in_batches(len(ids), _TEXTS_PER_FRAME, features)
        out = np.empty_like(found)
        out[order] = found
        return out

    def _in_batches(self, count: int, share: float, features: Callable[[slice], Any]) -> NDArray[np.float32]:
        """What `features` gives for all rows; share: of the batch of frames that is one batch of these."""
        import torch

        out = np.empty((count, self.config.embed_dim), np.float32)
        start = 0
        while start < count:
            step = max(int(self._batch * share), 1)
            rows = slice(start, min(start + step, count))
            try:
                with torch.inference_mode():
                    out[rows] = features(rows).float().cpu().numpy()
            except torch.cuda.OutOfMemoryError as error:
                self._make_room(step, error)
                continue
            start = rows.stop
        if not np.isfinite(out).all():
            raise ModelError(
                f"{self.card.model} gave numbers that are not finite in {self.dtype}; run it with dtype float32"
            )
        return out

    def _make_room(self, step: int, error: Exception) -> None:
        import torch

        if step <= 1:
            raise ModelError(
                f"{self.card.model} does not fit on {self.device} even one at a time; free its memory, or use the CPU"
            ) from error
        self._batch = max(self._batch // 2, 1)
        torch.cuda.empty_cache()

    def _tensor(self, values: NDArray[Any]) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)


def choose_device(asked: str) -> str:
    """The device that "auto" means here, or the one that was asked for.

    Raises:
        CapabilityError: torch has none of that name.
    """
    import torch

    if asked == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = asked.partition(":")
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if kind not in there or (number and not number.isdecimal()):
        raise CapabilityError(f"no device {asked!r}; there are: auto, cpu, cuda, cuda:1, mps")
    if int(number or 0) >= there[kind]:
        raise CapabilityError(f"device {asked!r} is not here (torch sees {there[kind]} of {kind}); take cpu")
    return asked


def choose_dtype(asked: str, device: str) -> str:
    """The dtype that "auto" means on `device`, or the one that was asked for.

    Raises:
        CapabilityError: neither auto, float32 nor float16; or float16 on a CPU, where it is slow and coarse.
    """
    if asked == "auto":
        return "float16" if device.startswith("cuda") else "float32"
    if asked not in ("float32", "float16"):
        raise CapabilityError(f"no dtype {asked!r}; there are: auto, float32, float16")
    if asked == "float16" and device == "cpu":
        raise CapabilityError("float16 on a CPU is slower than float32 and coarser; take dtype float32")
    return asked
