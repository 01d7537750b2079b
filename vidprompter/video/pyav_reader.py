"""Reads any video that PyAV (FFmpeg) knows: rotated, of 10 bit, with alpha, damaged or very long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidprompter.errors import CorruptVideo
from vidprompter.video.color import FrameConverter
from vidprompter.video.files import show
from vidprompter.video.probe import Probe, open_container, video_stream
from vidprompter.video.reader import TIME_SLACK, Moment, Picture, Size

# Without an index of keyframes, a gap of this many seconds is worth a seek.
_BLIND_SEEK_SECONDS = 10.0
# How far in front of a moment to seek when the first try lands behind it.
_SEEK_BACK_SECONDS = (0.0, 2.0, 10.0, 60.0)


class PyavReader:
    """A `FrameReader`. threads: of the decoder, 0 for as many as there are cores."""

    name = "pyav"

    def __init__(self, path: Path, probe: Probe, *, threads: int = 0) -> None:
        self._path = path
        self._probe = probe
        self._threads = threads
        self.damaged = probe.damaged
        self.ended_at: float | None = None
        self.frames_in_all: int | None = None

    def read(self, moments: Sequence[Moment], sizes: Sequence[Size]) -> Iterator[Picture]:
        """Yields the pictures on screen at `moments`; skips from keyframe to keyframe where that is cheaper.

        Raises:
            CorruptVideo: nothing decodes.
        """
        converter = FrameConverter(self._probe)
        with open_container(self._path) as container:
            stepper = _Stepper(container, video_stream(container, self._path), self._probe, self._threads)
            given: tuple[float, set[int]] = (-np.inf, set())
            for moment in moments:
                stepper.show(moment.time)
                if stepper.frame is None:
                    break
                if stepper.time != given[0]:
                    given = (stepper.time, set())
                new = moment.plans - given[1]
                if new:
                    given[1].update(new)
                    images = {
                        size: converter.convert(stepper.frame, size) for size in {sizes[n] for n in new}
                    }
                    yield Picture(stepper.time, {n: images[sizes[n]] for n in new})
            if stepper.at_end:
                self.frames_in_all = stepper.decoded
            if stepper.frame is None:
                raise CorruptVideo(
                    f"{show(self._path)} opens but none of its frames decodes; convert it again"
                )
            self.damaged = self.damaged or stepper.failures > 0
            if stepper.at_end and moments[-1].time > stepper.shown_until + TIME_SLACK:
                self.ended_at = stepper.shown_until


class _Stepper:
    """Walks through the decoded frames; holds the one on screen and the one after it."""

    def __init__(self, container: Any, stream: Any, probe: Probe, threads: int) -> None:
        stream.codec_context.thread_count = threads
        stream.thread_type = "AUTO" if threads != 1 else "NONE"
        self.frame: Any = None
        self.time = -np.inf
        self.at_end = False
        self.failures = 0
        self.decoded = 0
        self._next: tuple[float, Any] | None = None
        self._container = container
        self._stream = stream
        self._probe = probe
        self._decoded = self._decode()
        self._seeks = True
        # An MP4 lists all its samples at once; other containers fill their index as they are read.
        self._index_is_whole = 0 < stream.frames <= len(stream.index_entries)

    @property
    def shown_until(self) -> float:
        """Where the frame on screen gives way, seconds."""
        shown = float((self.frame.duration or 0) * self.frame.time_base) if self.frame is not None else 0.0
        return self.time + (shown or self._probe.frame_seconds)

    def show(self, time: float) -> None:
        """Puts the frame on screen at `time` into `frame`: the last at or before it, else the first."""
        if self._seeks and self._seek_pays(time):
            self._seek(time)
        self._walk(time)

    def _walk(self, time: float) -> None:
        while not self.at_end:
            if self._next is None:
                self._next = next(self._decoded, None)
                if self._next is None:
                    self.at_end = True
                    return
            if self.frame is not None and self._next[0] > time + TIME_SLACK:
                return
            self.time, self.frame = self._next
            self._next = None

    def _decode(self) -> Iterator[tuple[float, Any]]:
        """Decoded frames with their times, increasing; what does not decode is counted and left out."""
        import av

        last = -np.inf
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except av.error.EOFError:
                    return
                except av.error.FFmpegError:
                    self.failures += 1
                    continue
                for frame in frames:
                    time = self._time_of(frame, last)
                    self.failures += bool(frame.is_corrupt)
                    if time > last:
                        last = time
                        self.decoded += 1
                        yield time, frame
        except av.error.FFmpegError:
            self.failures += 1

    def _time_of(self, frame: Any, last: float) -> float:
        if frame.pts is None:
            return last + self._probe.frame_seconds if last > -np.inf else self._probe.first_time
        return float(frame.pts * frame.time_base) - self._probe.offset

    def _seek_pays(self, time: float) -> bool:
        reached = self._next[0] if self._next is not None else self.time
        if self.frame is None:
            reached = self._probe.first_time
        if time - reached <= self._probe.frame_seconds * 2:
            return False
        if not self._index_is_whole:
            return time - reached > _BLIND_SEEK_SECONDS
        entries = self._stream.index_entries
        at = entries.search_timestamp(self._ticks(time), backward=True)
        return at >= 0 and self._seconds(entries[at].timestamp) > reached + self._probe.frame_seconds

    def _seek(self, time: float) -> None:
        """Moves to a keyframe at or before `time`; keeps the place where the file cannot seek."""
        import av

        before = self.time
        for back in _SEEK_BACK_SECONDS:
            try:
                self._container.seek(self._ticks(max(time - back, 0.0)), stream=self._stream, backward=True)
            except av.error.FFmpegError:
                self._seeks = False
                self._restart()
                return
            self._decoded = self._decode()
            self._next = next(self._decoded, None)
            if self._next is not None and self._next[0] <= time + TIME_SLACK:
                break
        else:
            self._restart()
        self.frame, self.time, self.at_end = None, -np.inf, False
        if self._next is not None and self._next[0] < before:
            self._seeks = False  # a seek that leads back (one keyframe in the whole file) is worth nothing

    def _restart(self) -> None:
        import av

        try:
            self._container.seek(0)
        except av.error.FFmpegError:
            self._seeks = False
            return
        self._decoded, self._next = self._decode(), None
        self.frame, self.time, self.at_end = None, -np.inf, False

    def _ticks(self, time: float) -> int:
        return int((time + self._probe.offset) / self._probe.time_base)

    def _seconds(self, ticks: int) -> float:
        return float(ticks * self._probe.time_base) - self._probe.offset
