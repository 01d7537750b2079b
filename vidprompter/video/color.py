"""From a decoded frame to an upright sRGB picture of the wanted size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vidprompter.video.hdr import ToneMapper, is_hdr
from vidprompter.video.probe import Probe
from vidprompter.video.reader import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

# AVColorSpace (ITU-T H.273, matrix coefficients).
_BT709, _UNSPECIFIED, _BT601 = 1, 2, 5
# A picture without a stated matrix is BT.709 from this height on and BT.601 below it, as players assume.
HD_HEIGHT = 720


def needs_guess(probe: Probe) -> bool:
    """True where the colour matrix is not stated and a decoder's default (BT.601) would be wrong."""
    is_yuv = probe.pixel_format.startswith("yuv")
    return is_yuv and probe.colorspace == _UNSPECIFIED and min(probe.coded_size) >= HD_HEIGHT


class FrameConverter:
    """Scales, converts and turns frames of one video."""

    def __init__(self, probe: Probe) -> None:
        from av.video.format import VideoFormat
        from av.video.reformatter import Interpolation, VideoReformatter

        self._orientation = probe.orientation
        self._matrix = self._source_matrix(probe)
        # Without the last two flags the scaler darkens a picture by 1.5 levels (measured); with them by 0.0.
        self._flags = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        # One scaler for each size: changing sizes on one would build its tables anew for every frame.
        self._scalers: dict[Size, Any] = {}
        self._new_scaler = VideoReformatter
        self._tones = ToneMapper(probe.transfer) if is_hdr(probe.transfer) else None
        self._has_alpha = self._tones is None and _has_alpha(VideoFormat(probe.pixel_format))
        self._format = "rgb48le" if self._tones else "rgba" if self._has_alpha else "rgb24"

    def convert(self, frame: Any, size: Size) -> NDArray[np.uint8]:
        """The frame as an upright (H, W, 3) uint8 sRGB picture of `size`; transparent parts turn black."""
        width, height = size[::-1] if self._orientation.swaps_sides else size
        scaler = self._scalers.setdefault(size, self._new_scaler())
        scaled = scaler.reformat(
            frame,
            width=width,
            height=height,
            format=self._format,
            src_colorspace=self._matrix,
            interpolation=self._flags,
            threads=1,
        )
        image = scaled.to_ndarray()
        if self._tones is not None:
            image = self._tones.apply(image)
        elif self._has_alpha:
            image = over(image, 0)
        return np.ascontiguousarray(self._orientation.apply(image))

    @staticmethod
    def _source_matrix(probe: Probe) -> int | None:
        if probe.colorspace != _UNSPECIFIED:
            return None
        return _BT709 if needs_guess(probe) else _BT601


def over(image: NDArray[np.uint8], backdrop: int) -> NDArray[np.uint8]:
    """An (H, W, 4) RGBA picture laid over a plain backdrop of grey level `backdrop`, (H, W, 3)."""
    alpha = image[..., 3:].astype(np.uint16)
    mixed = image[..., :3] * alpha + backdrop * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _has_alpha(pixel_format: Any) -> bool:
    return pixel_format.name == "pal8" or any(part.is_alpha for part in pixel_format.components)
