"""CLIP-like models on ONNX Runtime. The first start exports the towers; later ones need neither torch nor the checkpoint.

On a CPU each core works on a batch of its own, on one thread: no thread waits for another, however busy its core is;
torch's threads share each batch, and wait.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.clip.encoder import Card, ClipTokenizer
from models.clip.onnx_store import exported, forget
from models.clip.tokenizer import end_of
from models.errors import CapabilityError, ModelError, WeightsCorrupt

if TYPE_CHECKING:
    from models.clip.network import ClipNetwork

CPU_IMAGES, GPU_IMAGES = 8, 64
"""Pictures of one run, where nobody chose."""
_CPU_TOKENS, _GPU_TOKENS = 512, 16384  # of one run, padding counted
_GPU_LENGTHS = 16  # texts are padded to a multiple of this: each new shape costs a GPU a search for kernels
_SPIN_MICROSECONDS = 20  # see vidprompter/engines/drawers/onnx_sessions.py
_TENSORRT, _CUDA, _CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"


class OnnxEncoder:
    """Implements `models.clip.encoder.ClipEncoder`. For use by several threads at once.

    network_loader: gives the network on the CPU in float32; called only where nothing was exported yet. device: "cpu",
    "cuda", "cuda:1" or "tensorrt" (a GPU by way of TensorRT). dtype: "float32" or "float16". batch: pictures of one run,
    None chooses.

    Raises:
        CapabilityError: this ONNX Runtime has nothing for that device.
        ModelError: the graphs cannot be written. And what `network_loader` raises.
    """

    def __init__(
        self,
        card: Card,
        tokenizer: ClipTokenizer,
        network_loader: Callable[[], ClipNetwork],
        *,
        device: str = "cpu",
        dtype: str = "float32",
        batch: int | None = None,
    ) -> None:
        if batch is not None and batch < 1:
            raise ModelError(f"batch is {batch}; it must be at least 1")
        self.card, self.tokenizer = card, tokenizer
        self.settings = {"backend": "onnx", "dtype": dtype, "device": device}
        self._on_gpu = device != "cpu"
        self._providers = _providers(device)
        self._threads = 1 if self._on_gpu else _usable_cores()
        self._batch = batch or (GPU_IMAGES if self._on_gpu else CPU_IMAGES)
        try:
            self._vision, self._text = self._sessions(exported(card, dtype, network_loader))
        except _onnx_errors():
            # Whole by its sizes, and still no graph: once more from the checkpoint.
            forget(card, dtype)
            self._vision, self._text = self._sessions(exported(card, dtype, network_loader))
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="clip")

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, S, S, 3) uint8 -> (N, D) float32 of length 1; image models only.

        Raises:
            ModelError: pixels of another shape; a video model. WeightsCorrupt: the numbers that come are no numbers.
        """
        self._check(pixels, frames=None)
        size = min(self._batch, -(-len(pixels) // self._threads))  # a single clip keeps all cores busy too
        batches = [pixels[first : first + size] for first in range(0, len(pixels), max(size, 1))]
        parts = self._pool.map(lambda part: self._run(self._vision, {"pixels": part}), batches)
        return self._joined(list(parts))

    def encode_videos(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, T, S, S, 3) uint8, T = `card.video_frames` or 1 -> (B, D) float32 of length 1; video models only.

        Raises:
            ModelError: pixels of another shape; an image model. WeightsCorrupt: the numbers that come are no numbers.
        """
        frames = self._check(pixels, frames=self.card.video_frames)
        moments = np.zeros(1, np.int64) if frames == 1 else np.arange(1, frames + 1, dtype=np.int64)
        size = max(1, self._batch // frames) if self._on_gpu or frames == 1 else 1
        return self._joined(
            [
                self._run(self._vision, {"pixels": pixels[first : first + size], "moments": moments})
                for first in range(0, len(pixels), size)
            ]
        )

    def encode_texts(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Token lists of any lengths up to `card.max_tokens` -> (N, D) float32 of length 1.

        Raises:
            ModelError: a list is empty or too long. WeightsCorrupt: the numbers that come are no numbers.
        """
        lengths = [len(one) for one in ids]
        if lengths and not 1 <= min(lengths) <= max(lengths) <= self.card.max_tokens:
            raise ModelError(
                f"a text of {min(lengths)} to {max(lengths)} tokens; it must have 1 to {self.card.max_tokens}"
            )
        # What stands behind the place where a text is pooled changes nothing.
        ids = [one[: end_of(one) + 1] for one in ids]
        batches = self._text_batches([len(one) for one in ids])
        parts = list(self._pool.map(lambda rows: self._run(self._text, self._feed(ids, rows)), batches))
        found = self._joined(parts)
        order = [row for rows in batches for row in rows]
        sorted_back = np.empty_like(found)
        sorted_back[order] = found
        return sorted_back

    def close(self) -> None:
        """Lets go of the threads; the encoder is of no use afterwards."""
        self._pool.shutdown(cancel_futures=True)

    # ---- batches ----------------------------------------------------------------------------------------------

    def _text_batches(self, lengths: Sequence[int]) -> list[list[int]]:
        """Texts of like lengths together, the longest first: the cores finish together when the last are short."""
        budget = _GPU_TOKENS if self._on_gpu else min(_CPU_TOKENS, -(-sum(lengths) // self._threads))
        batches: list[list[int]] = []
        for row in sorted(range(len(lengths)), key=lambda n: -lengths[n]):
            if not batches or (len(batches[-1]) + 1) * self._padded(lengths[batches[-1][0]]) > budget:
                batches.append([])
            batches[-1].append(row)
        return batches

    def _feed(self, ids: Sequence[Sequence[int]], rows: Sequence[int]) -> dict[str, NDArray[np.int64]]:
        table = np.zeros((len(rows), self._padded(len(ids[rows[0]]))), np.int64)
        for place, row in enumerate(rows):
            table[place, : len(ids[row])] = ids[row]
        return {"ids": table, "ends": np.array([len(ids[row]) - 1 for row in rows], np.int64)}

    def _padded(self, length: int) -> int:
        if not self._on_gpu:
            return length
        return min(-(-length // _GPU_LENGTHS) * _GPU_LENGTHS, self.card.max_tokens)

    # ---- sessions ---------------------------------------------------------------------------------------------

    def _sessions(self, folder: Path) -> tuple[Any, Any]:
        # A clip of a video model is long enough that all cores share it; whoever has one clip waits less.
        of_video = self.card.video_frames is not None
        return (
            self._session(folder / "vision.onnx", _usable_cores() if of_video else 1),
            self._session(folder / "text.onnx", 1),
        )

    def _session(self, graph: Path, threads: int) -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        if not self._on_gpu:
            options.enable_mem_pattern = (
                False  # shapes change with every batch, and each has a plan that stays
            )
            options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN_MICROSECONDS))
        session = ort.InferenceSession(str(graph), options, providers=self._providers)
        first = self._providers[0] if isinstance(self._providers[0], str) else self._providers[0][0]
        if first not in session.get_providers():
            raise CapabilityError(
                f"ONNX Runtime could not start {first} (CUDA, cuDNN or TensorRT missing?); use device 'cpu' or "
                "backend 'torch'"
            )
        return session

    def _run(self, session: Any, feed: dict[str, Any]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run(["features"], feed)[0]
        return found

    def _joined(self, parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        if not parts:
            return np.zeros((0, 0), np.float32)
        found = np.concatenate(parts)
        if not np.isfinite(found).all():
            raise WeightsCorrupt(
                f"{self.card.model} gives features that are no numbers; its weights are damaged, or too large for "
                f"{self.settings['dtype']}"
            )
        return found

    def _check(self, pixels: NDArray[np.uint8], frames: int | None) -> int:
        if (self.card.video_frames is None) != (frames is None):
            raise ModelError(f"{self.card.model} looks at {'pictures' if frames else 'whole clips'}")
        side = self.card.preprocess.size
        times = () if frames is None else pixels.shape[1:2]
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (*times, side, side, 3):
            raise ModelError(
                f"pixels must be (..., {side}, {side}, 3) uint8, not {pixels.shape} {pixels.dtype}"
            )
        if frames is not None and times[0] not in (1, frames):
            raise ModelError(f"{self.card.model} takes {frames} frames of a clip, or 1; not {times[0]}")
        return times[0] if times else 1


def _providers(device: str) -> list[Any]:
    """Only what is asked for and present: naming more makes ONNX Runtime warn and fall back silently."""
    import onnxruntime as ort

    if device == "cpu":
        return [_CPU]
    kind, _, number = device.partition(":")
    wanted = {"cuda": _CUDA, "tensorrt": _TENSORRT}.get(kind)
    if wanted is None or (number and not number.isdigit()):
        raise ModelError(f"device {device!r} is not known; there are: cpu, cuda, cuda:1, tensorrt")
    if wanted not in ort.get_available_providers():
        raise CapabilityError(f"this ONNX Runtime has no {wanted}; use device 'cpu' or backend 'torch'")
    on = {"device_id": number or "0"}
    cuda = (_CUDA, {**on, "use_tf32": "0"})
    return [(_TENSORRT, on), cuda] if wanted == _TENSORRT else [cuda]


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _onnx_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises for a file that is no graph."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NoSuchFile, state.InvalidArgument
