"""Reads plain short videos with decord, which decodes and scales in one go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidprompter.video.color import needs_guess
from vidprompter.video.hdr import is_hdr
from vidprompter.video.probe import Probe
from vidprompter.video.reader import TIME_SLACK, CannotRead, Moment, Picture, Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CODECS = frozenset(("h264", "hevc", "mpeg4", "mpeg2video", "vp8", "vp9", "mjpeg"))
_PIXEL_FORMATS = frozenset(("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"))
# decord reads a whole file to index it, and its times are 32-bit floats: good to a tick of 1/90000 s for
# a minute or two, and off by 0.5 ms in a long film.
_LONGEST_SECONDS = 120.0
_BATCH_FRAMES = 16


def suits_decord(probe: Probe) -> bool:
    """True for what decord gets right: upright, 8 bit, opaque, sound, short, of a codec it knows."""
    return (
        probe.info.codec in _CODECS
        and probe.pixel_format in _PIXEL_FORMATS
        and probe.orientation.is_upright
        and not probe.damaged
        and not needs_guess(probe)
        and not is_hdr(probe.transfer)
        and probe.info.duration <= _LONGEST_SECONDS
        and probe.is_scanned
    )


class DecordReader:
    """A `FrameReader`. threads: of the decoder, 0 for as many as there are cores."""

    name = "decord"

    def __init__(self, path: Path, probe: Probe, *, threads: int = 0) -> None:
        self._path = path
        self._probe = probe
        self._threads = threads
        self.damaged = False
        self.ended_at: float | None = None
        self.frames_in_all: int | None = None

    def read(self, moments: Sequence[Moment], sizes: Sequence[Size]) -> Iterator[Picture]:
        """Yields the pictures on screen at `moments`.

        Raises:
            CannotRead: decord gives up, or its frames are not those that the file lists.
        """
        reader = self._open(max(sizes, key=lambda size: size[0] * size[1]))
        times = self._frame_times(reader)
        wanted = _frames_at(times, moments)
        numbers = sorted(wanted)
        if moments[-1].time > times[-1] + self._probe.frame_seconds * 2:
            self.ended_at = float(times[-1] + self._probe.frame_seconds)
        for first in range(0, len(numbers), _BATCH_FRAMES):
            batch = numbers[first : first + _BATCH_FRAMES]
            for number, image in zip(batch, self._decode(reader, batch), strict=True):
                yield Picture(float(times[number]), {n: _shrink(image, sizes[n]) for n in wanted[number]})

    def _open(self, size: Size) -> Any:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        try:
            # fault_tol: decord repeats a frame in place of one that it cannot decode; then we take PyAV.
            reader = decord.VideoReader(
                str(self._path.absolute()),
                width=size[0],
                height=size[1],
                num_threads=self._threads,
                fault_tol=1,
            )
        except _errors() as error:
            raise CannotRead(str(error)) from None
        listed = self._probe.info.frame_count
        if abs(len(reader) - listed) > max(1, listed // 50):
            raise CannotRead(f"decord sees {len(reader)} frames of {listed}")
        return reader

    def _frame_times(self, reader: Any) -> NDArray[np.float64]:
        starts = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(np.float64)
        base = self._probe.time_base
        ticks = np.rint((starts - starts[0]) / float(base))
        times = ticks * base.numerator / base.denominator + self._probe.first_time
        if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise CannotRead("decord's times do not increase")
        return np.asarray(times, dtype=np.float64)

    def _decode(self, reader: Any, numbers: list[int]) -> NDArray[np.uint8]:
        try:
            return np.asarray(reader.get_batch(numbers).asnumpy(), dtype=np.uint8)
        except _errors() as error:
            raise CannotRead(str(error)) from None


def _errors() -> tuple[type[Exception], ...]:
    """What decord raises when it gives up (no common ancestor), or is given a name that is no text."""
    import decord

    own = decord.DECORDError, decord.DECORDLimitReachedError
    return *own, RuntimeError, AssertionError, IndexError, UnicodeEncodeError


def _frames_at(times: NDArray[np.float64], moments: Sequence[Moment]) -> dict[int, set[int]]:
    """Frame numbers on screen at the moments, with the plans that want each."""
    asked = np.array([moment.time for moment in moments])
    numbers = np.searchsorted(times, asked + TIME_SLACK, side="right") - 1
    wanted: dict[int, set[int]] = {}
    for number, moment in zip(np.clip(numbers, 0, None).tolist(), moments, strict=True):
        wanted.setdefault(number, set()).update(moment.plans)
    return wanted


def _shrink(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    if (image.shape[1], image.shape[0]) == size:
        return image
    import cv2

    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
