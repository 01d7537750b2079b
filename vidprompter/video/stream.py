"""A file's pictures one after the other, however long it is: memory stays flat."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from vidprompter.errors import InputError
from vidprompter.video.clip import VideoInfo
from vidprompter.video.decord_reader import DecordReader, suits_decord
from vidprompter.video.files import identify, show
from vidprompter.video.image_reader import ImageReader
from vidprompter.video.probe import probe_video, scan_packets
from vidprompter.video.pyav_reader import PyavReader
from vidprompter.video.reader import CannotRead, FrameReader, Moment
from vidprompter.video.sampling import fit_within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# More than this missing at the end: the file is cut, and what is there is the whole (as in `source`).
_SHORTFALL_SECONDS = 1.0
# A first picture later than this, sound came before it: then the range begins with the picture.
_LATE_SECONDS = 0.25


class FrameStream:
    """The pictures of a video or picture file, or of its part between `start` and `end` (seconds).

    Opens the file at once; decodes with one thread. start, end: what of the file is covered, seconds; equal for
    a still picture. info: what the file says about itself.

    Raises:
        VideoError: one of its kinds says why the file cannot be used.
        InputError: no range, or one beyond the end of the video.
    """

    start: float
    end: float
    info: VideoInfo

    def __init__(self, path: str | Path, *, start: float | None = None, end: float | None = None) -> None:
        self.path = Path(path)
        if end is not None and end <= (start or 0.0):
            raise InputError(f"end is {end:g} s; it must be above start ({start or 0:g} s)")
        first = 0.0
        if identify(self.path) == "video":
            probe = probe_video(self.path)
            self.info, first = probe.info, probe.first_time
            last = first + self.info.duration
            if probe.damaged and not probe.is_scanned:  # the container still claims what was lost
                last = min(last, scan_packets(self.path, self.info.fps).end)
            self._readers: list[FrameReader] = [PyavReader(self.path, probe, threads=1)]
            if suits_decord(probe):  # as `VideoSource` would, so that both see the same pictures
                self._readers.insert(0, DecordReader(self.path, probe, threads=1))
        else:
            image = ImageReader(self.path)
            self.info, self._readers = image.info(), [image]
            last = self.info.duration
        if start is not None and start >= last and start > 0:
            raise InputError(
                f"start is {start:g} s, but {show(self.path)} ends at {last:.3f} s; start earlier"
            )
        opens = first if first > _LATE_SECONDS else 0.0
        self.start = opens if start is None else max(start, opens)
        self.end = max(last if end is None else min(end, last), self.start)

    def frames(self, fps: float, max_side: int) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yields time (seconds) and picture (H, W, 3) uint8 sRGB, what is shown at `fps` moments a second.

        A picture comes once, with its own time. Afterwards `end` is where the pictures stop, should the file be
        shorter than it says.

        Raises:
            CorruptVideo: nothing decodes.
        """
        size = fit_within(self.info.width, self.info.height, max_side)
        moments = _Moments(self.start, self.end, fps)
        shown = -math.inf
        stopped: float | None = None
        for reader in self._readers:
            try:
                for picture in reader.read(moments, [size]):
                    if picture.time > shown:
                        shown = picture.time
                        yield shown, picture.images[0]
            except CannotRead:
                continue  # the next goes on where this one gave up
            stopped = reader.ended_at
            break
        if stopped is not None and self.end - stopped > max(_SHORTFALL_SECONDS, 0.02 * self.info.duration):
            self.end = max(stopped, self.start)


class _Moments(Sequence[Moment]):
    """`start + i / fps` below `end`, made when asked for: a day of them is no list to keep."""

    def __init__(self, start: float, end: float, fps: float) -> None:
        self._start = start
        self._fps = fps
        self._count = max(1, math.ceil((end - start) * fps - 1e-9))
        self._plans = frozenset((0,))

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Moment: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Moment]: ...
    def __getitem__(self, at: int | slice) -> Moment | Sequence[Moment]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(self._count))]
        number = at + self._count if at < 0 else at
        if not 0 <= number < self._count:
            raise IndexError(at)
        return Moment(self._start + number / self._fps, self._plans)
