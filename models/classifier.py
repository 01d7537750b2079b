"""What a picture shows, as probabilities over the 1000 classes of ImageNet. ONNX Runtime only: no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.errors import CapabilityError, ModelError
from models.labels import read_labels
from models.registry import registry

ENTRY = "efficientnet-lite2"
SIDE = 260
View = Literal["centre", "whole", "both"]

_BATCH = 2  # pictures a run: more is no faster on a CPU, and each holds 20 MB
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Classifier:
    """Classifies pictures of any size. Not for use by two threads at once."""

    def __init__(self, session: Any, revision: str) -> None:
        self._session = session
        self.revision = revision
        self.labels: tuple[str, ...] = read_labels("imagenet")

    def probabilities(
        self, images: Sequence[NDArray[np.uint8]], *, view: View = "both"
    ) -> NDArray[np.float32]:
        """(N, 1000) float32, each row sums to 1, in the order of `labels`.

        images: N pictures (H, W, 3) uint8 0-255, sRGB. view: "centre" is the largest square in the middle, as in
        the network's training; "whole" squeezes the picture into the square; "both" is the mean of the two, for
        twice the time.

        Raises:
            ModelError: A picture is not (H, W, 3) uint8.
        """
        if view == "both":
            centre, whole = (self.probabilities(images, view=one) for one in ("centre", "whole"))
            return (centre + whole) * np.float32(0.5)
        found = np.zeros((len(images), len(self.labels)), np.float32)
        for start in range(0, len(images), _BATCH):
            pixels = np.stack([_square(image, view) for image in images[start : start + _BATCH]])
            found[start : start + _BATCH] = self._session.run(None, {"pixels": pixels})[0]
        return found


def load_classifier(threads: int = 1, *, device: Literal["cpu", "cuda"] = "cpu") -> Classifier:
    """The classifier; `threads` CPU threads work on one picture.

    Raises:
        WeightsMissing: Not fetched yet.
        CapabilityError: `device` is "cuda", and ONNX Runtime cannot use a GPU here.
    """
    entry = registry().get(ENTRY)
    return Classifier(_session(entry.path() / entry.derived[0], threads, device), entry.revision)


def _session(path: Path, threads: int, device: Literal["cpu", "cuda"]) -> Any:
    import onnxruntime as ort

    if threads < 1:
        raise ModelError(f"threads is {threads}; it must be at least 1")
    provider = _PROVIDERS[device]
    # Only what is asked for and present is named: naming more makes ONNX Runtime warn and fall back silently.
    if provider not in ort.get_available_providers():
        raise CapabilityError(f"this ONNX Runtime has no {provider}; use device='cpu'")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=[provider])
    if provider not in session.get_providers():
        raise CapabilityError(
            "ONNX Runtime could not start on the GPU (CUDA or cuDNN missing?); use device='cpu'"
        )
    return session


def _square(image: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    import cv2

    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ModelError(f"a picture must be (H, W, 3) uint8, not {image.shape} {image.dtype}")
    if view == "centre":
        high, wide = image.shape[:2]
        side = min(high, wide)
        top, left = (high - side) // 2, (wide - side) // 2
        image = image[top : top + side, left : left + side]
    smaller = max(image.shape[:2]) > SIDE
    resized = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8)
