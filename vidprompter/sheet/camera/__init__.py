"""Camera motion measured from frames: what the camera does, and what moves on its own.

`measure_camera` gives the word, `fit_pairs` the motion behind it, `residual_motion` an object's own motion.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidprompter.sheet.types import CameraMotion

from .classify import classify
from .fits import PairFits, PairTracks, fit_pairs
from .residual import residual_motion

__all__ = ["PairFits", "PairTracks", "classify", "fit_pairs", "measure_camera", "residual_motion"]


def measure_camera(frames: NDArray[np.uint8], timestamps: NDArray[np.float64]) -> CameraMotion:
    """How the camera moves in one shot, with speed and confidence.

    frames: (T, H, W, 3) uint8 sRGB, about 8 a second, any size (compared at 320 pixels at most);
    timestamps: (T,) seconds, strictly increasing. One frame, or a picture without texture, gives `unknown`
    with confidence 0. Raises InputError for other shapes.
    """
    return classify(fit_pairs(frames, timestamps))
