"""From high dynamic range (HDR10, HLG) to sRGB, so that a phone's HDR clip does not look washed out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Transfer characteristics (ITU-T H.273, table 3).
PQ, HLG = 16, 18
# Nits of diffuse white in HDR (ITU-R BT.2408) and of the display that HLG is graded for (BT.2100).
_WHITE_NITS = 203.0
_HLG_PEAK_NITS = 1000.0
# BT.2020 to BT.709 primaries, linear light (ITU-R BT.2087).
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], dtype=np.float32
)
_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)
# Up to here light is kept as it is; what is brighter rolls off towards white.
_KNEE = 0.7
_STEPS = 4096


class ToneMapper:
    """Maps pictures of one transfer characteristic (`PQ` or `HLG`) to sRGB."""

    def __init__(self, transfer: int) -> None:
        signal = np.arange(_STEPS, dtype=np.float64) / (_STEPS - 1)
        self._is_hlg = transfer == HLG
        self._light = (_hlg_scene(signal) if self._is_hlg else _pq_nits(signal) / _WHITE_NITS).astype(
            np.float32
        )
        self._srgb = np.round(255 * _srgb_signal(signal)).astype(np.uint8)

    def apply(self, image: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """(H, W, 3) uint16, full range R'G'B' of BT.2020, as (H, W, 3) uint8 sRGB."""
        light = self._light[image >> 4]
        if self._is_hlg:
            # The display's part (BT.2100, OOTF): gamma 1.2 on luminance.
            luminance = np.maximum(light @ _LUMA_2020, 1e-6)[..., None]
            light = light * luminance**0.2 * np.float32(_HLG_PEAK_NITS / _WHITE_NITS)
        light = np.maximum(light @ _TO_709.T, 0.0)
        # One factor for all three channels keeps the hue; what then is still above white is clipped.
        brightest = np.maximum(light.max(axis=2, keepdims=True), 1e-6)
        over = np.maximum(brightest - _KNEE, 0.0)
        rolled = np.minimum(brightest, _KNEE) + (1 - _KNEE) * (1 - np.exp(-over / (1 - _KNEE)))
        mapped = np.clip(light * (rolled / brightest), 0.0, 1.0)
        return np.asarray(self._srgb[(mapped * (_STEPS - 1) + 0.5).astype(np.uint16)])


def is_hdr(transfer: int) -> bool:
    """True for the transfer characteristics that need a `ToneMapper`."""
    return transfer in (PQ, HLG)


def _pq_nits(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The EOTF of SMPTE ST 2084: nits of a signal in [0, 1]."""
    power = signal ** (1 / 78.84375)
    return 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
        1 / 0.1593017578125
    )


def _hlg_scene(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse OETF of HLG (BT.2100): scene light in [0, 1] of a signal in [0, 1]."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _srgb_signal(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """IEC 61966-2-1, from linear light in [0, 1]."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
