"""HDR to sRGB, on patches of known light."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from vidprompter.video.hdr import HLG, PQ, ToneMapper
from vidprompter.video.sampling import Uniform
from vidprompter.video.source import VideoSource


def pq_signal(nits: float) -> float:
    """The inverse EOTF of SMPTE ST 2084, in its other form."""
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def grey(signal: float) -> np.ndarray:
    return np.full((4, 4, 3), round(signal * 65535), np.uint16)


def test_pq_keeps_what_is_below_white() -> None:
    mapper = ToneMapper(PQ)
    # sRGB of 18 % and of 50 % of diffuse white (203 nits) is 118 and 188.
    assert np.abs(mapper.apply(grey(pq_signal(0.18 * 203))).astype(int) - 118).max() <= 2
    assert np.abs(mapper.apply(grey(pq_signal(0.50 * 203))).astype(int) - 188).max() <= 2
    assert mapper.apply(grey(0.0)).max() == 0
    assert mapper.apply(grey(1.0)).min() >= 254


def test_hlg_white_is_white() -> None:
    mapper = ToneMapper(HLG)
    # 75 % of the signal is diffuse white, 38 % is 26 nits (ITU-R BT.2408); white is already rolling off.
    assert mapper.apply(grey(0.75)).min() > 225
    assert np.abs(mapper.apply(grey(0.38)).astype(int) - 101).max() <= 2


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_brighter_stays_brighter_and_hues_stay(transfer: int) -> None:
    mapper = ToneMapper(transfer)
    levels = [int(mapper.apply(grey(signal))[0, 0, 0]) for signal in np.linspace(0, 1, 60)]
    assert levels == sorted(levels)
    red = np.zeros((2, 2, 3), np.uint16)
    red[..., 0] = 50000
    mapped = mapper.apply(red)
    assert (mapped[..., 0] > 200).all() and (mapped[..., 1:] < 10).all()


def test_an_hdr10_file_is_not_washed_out(tmp_path: Path) -> None:
    if "libx265" not in av.codec.codecs_available:
        pytest.skip("this PyAV has no libx265 encoder")
    path = tmp_path / "a.mp4"
    level = round(64 + 876 * pq_signal(0.18 * 203))
    options = {"x265-params": "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=5, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p10le"
        frame = av.VideoFrame(128, 96, "yuv420p10le")
        for plane, value in zip(frame.planes, (level, 512, 512), strict=True):
            plane.update(np.full(plane.buffer_size // 2, value, np.uint16))
        for number in range(3):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (clip,) = VideoSource(path).sample(Uniform(1))
    assert np.abs(clip.frames[0].astype(int) - 118).max() <= 3
