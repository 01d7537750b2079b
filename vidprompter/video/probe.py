"""What a video file says about itself, checked against its first decoded frame."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidprompter.errors import CorruptVideo, NotAVideoFile, NoVideoStream, VideoUnreadable
from vidprompter.video.clip import VideoInfo
from vidprompter.video.files import container_of, is_cut_off, lacks_index, show
from vidprompter.video.orientation import Orientation, orientation_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# A stream that has not given one frame after this many packets is not going to.
_FIRST_FRAME_PACKETS = 2000
_DEFAULT_RATE = 25.0
_RATE_TOLERANCE = 0.02
# Up to this size all packets are read to learn the true length: a few milliseconds, from the disk's cache later.
_SCAN_BYTES = 64 << 20


@dataclass(frozen=True)
class Probe:
    """All that the readers need to know of a video file.

    coded_size: of a decoded frame, before pixel aspect and rotation. first_time: of the first frame, seconds.
    offset: what is taken off a presentation time so that the file starts at 0 (MPEG-TS starts anywhere).
    is_scanned: length and number of frames were counted, not claimed.
    """

    info: VideoInfo
    coded_size: tuple[int, int]
    orientation: Orientation
    time_base: Fraction
    offset: float
    first_time: float
    pixel_format: str
    colorspace: int
    color_range: int
    transfer: int
    damaged: bool
    is_scanned: bool

    @property
    def frame_seconds(self) -> float:
        """How long one frame is shown on average."""
        return 1.0 / self.info.fps

    @property
    def end_time(self) -> float:
        """Where the last frame stops being shown, seconds, by the container's word."""
        return self.first_time + self.info.duration


@contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """The file opened by PyAV; only local files are ever followed.

    Raises:
        CorruptVideo: a known container that does not open. NotAVideoFile: nothing known.
        VideoUnreadable: I/O says no.
    """
    import av

    # An absolute path is never taken for a protocol ("concat:...") by the demuxer.
    name: Any = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        name = path.open("rb")  # a name that is no text cannot cross into the library
    try:
        container = av.open(name, options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise _open_error(path, error) from None
    with container:
        yield container


def probe_video(path: Path) -> Probe:
    """What `path` holds.

    Raises:
        NoVideoStream: sound only. CorruptVideo: no frame decodes. And what `open_container` raises.
    """
    with open_container(path) as container:
        stream = video_stream(container, path)
        stream.codec_context.thread_count = 1
        frame, failures = _first_frame(container, stream, path)
        return _describe(path, container, stream, frame, failures > 0)


def video_stream(container: Any, path: Path) -> Any:
    """The stream to show: the default one, else the largest; cover art does not count."""
    from av.stream import Disposition

    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        what = "sound only" if container.streams.audio else "no picture"
        raise NoVideoStream(f"{show(path)} holds {what}; leave it out of the list")
    if any(s.codec_context is None for s in streams):
        raise CorruptVideo(f"{show(path)} uses a codec that is not known here; convert it to H.264")

    def preference(stream: Any) -> tuple[bool, int]:
        is_default = bool(stream.disposition & Disposition.default)
        return is_default, stream.codec_context.width * stream.codec_context.height

    return max(streams, key=preference)


def file_offset(container: Any, stream: Any) -> float:
    """Seconds to take off every presentation time: the file's own start where it is above 0."""
    offset = max(0.0, (container.start_time or 0) / 1_000_000)
    if stream.start_time is not None and stream.start_time < 0:
        return float(stream.start_time * stream.time_base)
    return offset


def _open_error(path: Path, error: Exception) -> Exception:
    if isinstance(error, PermissionError):
        return VideoUnreadable(f"{show(path)} cannot be read (permission denied)")
    name = container_of(path)
    if name is None:
        return NotAVideoFile(f"{show(path)} is not a video of any known kind; leave it out of the list")
    if name == "MP4 or QuickTime" and lacks_index(path):
        return CorruptVideo(
            f"{show(path)} has no complete index (moov): it was probably cut off while being copied or "
            "recorded; copy it again"
        )
    reason = getattr(error, "strerror", None) or type(error).__name__
    return CorruptVideo(f"{show(path)} looks like {name} but does not open ({reason}); copy it again")


def _first_frame(container: Any, stream: Any, path: Path) -> tuple[Any, int]:
    import av

    failures = 0
    try:
        for count, packet in enumerate(container.demux(stream)):
            try:
                for frame in packet.decode():
                    return frame, failures
            except av.error.FFmpegError:
                failures += 1
            if count >= _FIRST_FRAME_PACKETS:
                break
    except av.error.FFmpegError:
        failures += 1
    raise CorruptVideo(f"{show(path)} opens but none of its frames decodes; copy or convert it again")


def _describe(path: Path, container: Any, stream: Any, frame: Any, damaged: bool) -> Probe:
    matrix = frame.side_data.get("DISPLAYMATRIX")
    orientation = orientation_of(bytes(matrix) if matrix is not None else None)
    width, height = _square_pixels(frame.width, frame.height, stream.sample_aspect_ratio)
    if orientation.swaps_sides:
        width, height = height, width
    offset = file_offset(container, stream)
    first = float(frame.pts * frame.time_base) - offset if frame.pts is not None else 0.0
    length = _length(path, container, stream, first, offset)
    info = VideoInfo(
        path=str(path),
        width=width,
        height=height,
        fps=length.rate,
        duration=length.seconds,
        frame_count=length.frames,
        rotation=orientation.degrees,
        codec=stream.codec_context.name,
        backend="pyav",
    )
    return Probe(
        info=info,
        coded_size=(frame.width, frame.height),
        orientation=orientation,
        time_base=stream.time_base,
        offset=offset,
        first_time=first,
        pixel_format=frame.format.name,
        colorspace=int(frame.colorspace),
        color_range=int(frame.color_range),
        transfer=int(frame.color_trc),
        damaged=damaged or is_cut_off(path),
        is_scanned=length.is_scanned,
    )


def _square_pixels(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """The displayed size: the picture is stretched, never shrunk, to make its pixels square."""
    # Aspects beyond 1:8 are mistakes of the file, not anamorphic video.
    if not aspect or not Fraction(1, 8) < aspect < 8:
        return width, height
    if aspect > 1:
        return round(width * aspect), height
    return width, round(height / aspect)


@dataclass(frozen=True)
class _Length:
    """rate: frames per second. seconds: from the first frame to the end of the last. is_scanned: not a claim."""

    rate: float
    seconds: float
    frames: int
    is_scanned: bool


def _length(path: Path, container: Any, stream: Any, first: float, offset: float) -> _Length:
    """How long the video is: counted in a small file, by the container's word in a large one."""
    rate = float(stream.average_rate or stream.guessed_rate or stream.base_rate or 0) or _DEFAULT_RATE
    claimed = _claimed_end(path, container, stream, offset, first)
    if claimed is None or path.stat().st_size <= _SCAN_BYTES:
        # Claims err: an MP4 of varying frame times may end after its stated length, a WebM from a browser
        # states none, and a rate of 1000 stands for "unknown".
        scan = scan_packets(path, rate)
        seconds = max(scan.end - first, 1 / rate)
        measured = scan.count / seconds
        rate = rate if abs(rate - measured) <= _RATE_TOLERANCE * measured else measured
        return _Length(rate, seconds, max(1, scan.count), True)
    seconds = max(claimed - first, 1 / rate)
    return _Length(rate, seconds, stream.frames or max(1, round(seconds * rate)), False)


def _claimed_end(path: Path, container: Any, stream: Any, offset: float, first: float) -> float | None:
    """Where the container says that the last frame ends, seconds; None where it does not say."""
    cut = _cut_end(stream, offset, path)
    if cut is not None:
        return cut
    if stream.duration and stream.duration > 0:
        return first + float(stream.duration * stream.time_base)
    if container.duration and container.duration > 0:
        return float(container.duration / 1_000_000)  # counts from the file's start, as our times do
    return None


def _cut_end(stream: Any, offset: float, path: Path) -> float | None:
    """Where an indexed file that lost its tail stops, seconds; None where nothing is missing."""
    entries = stream.index_entries
    count = len(entries)
    size = path.stat().st_size
    if count < 2 or not stream.frames or entries[count - 1].pos + entries[count - 1].size <= size:
        return None
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        if entries[middle].pos + entries[middle].size <= size:
            low = middle + 1
        else:
            high = middle
    return float(entries[low].timestamp * stream.time_base) - offset


@dataclass(frozen=True)
class PacketScan:
    """What a pass over all packets found: how many frames, and where the last stops being shown, seconds."""

    count: int
    end: float


def scan_packets(path: Path, rate: float) -> PacketScan:
    """Reads every packet; decodes none. rate: frames per second, where packets carry no times or lengths."""
    import av

    end = 0.0
    count = 0
    with open_container(path) as container:
        stream = video_stream(container, path)
        offset = file_offset(container, stream)
        # What is left when the file breaks off is an error of the last packet; what was read so far counts.
        with suppress(av.error.FFmpegError):
            for packet in container.demux(stream):
                count += packet.size > 0
                if packet.pts is not None:
                    shown = float(packet.duration * stream.time_base) if packet.duration else 1 / rate
                    end = max(end, float(packet.pts * stream.time_base) - offset + shown)
    return PacketScan(count, end or count / rate)
