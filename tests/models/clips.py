"""Frames of the example clips, for tests marked `weights`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def example_frames(name: str, count: int) -> NDArray[np.uint8]:
    """(count, H, W, 3) frames spread over the clip."""
    import av

    from models.fetching import find

    with av.open(str(find("example-clips") / f"{name}.mp4")) as container:
        frames: list[Any] = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    picks = np.linspace(0, len(frames) - 1, count + 2).astype(int)[1:-1]
    return np.stack([frames[n] for n in picks])
