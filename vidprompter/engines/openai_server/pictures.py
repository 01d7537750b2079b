"""Frames as JPEG and files as they are, both as data URLs."""

from __future__ import annotations

import base64
import io
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidprompter.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vidprompter.tasks import Request
    from vidprompter.video.clip import Clip


@dataclass(frozen=True)
class PictureOptions:
    """frames: pictures of a clip. max_side: their longer side in pixels, at most. quality: of JPEG, 1 to 95.

    max_file_bytes: the largest file that is sent whole; the request is a third longer.
    """

    frames: int = 8
    max_side: int = 768
    quality: int = 90
    max_file_bytes: int = 50_000_000

    def __post_init__(self) -> None:
        if not 1 <= self.frames <= 1024:
            raise InputError(f"frames is {self.frames}; it must be between 1 and 1024")
        if not 16 <= self.max_side <= 4096:
            raise InputError(f"max_side is {self.max_side}; it must be between 16 and 4096 pixels")
        if not 1 <= self.quality <= 95:
            raise InputError(f"quality is {self.quality}; it must be between 1 and 95")
        if self.max_file_bytes < 1:
            raise InputError(f"max_file_bytes is {self.max_file_bytes}; it must be at least 1")


@dataclass(frozen=True)
class Shown:
    """What is sent of a clip. urls: JPEG data URLs in time order. seconds: of each, from the start of the part.

    length: seconds of the part; 0 for a still picture.
    """

    urls: tuple[str, ...]
    seconds: tuple[float, ...]
    length: float


def shown_frames(request: Request, options: PictureOptions) -> Shown:
    """At most `options.frames` frames of the request's clip, spread evenly, and when each was.

    A path is decoded in this process, on one thread.

    Raises:
        InputError: the request has a scene sheet and no clip, or a clip without frames.
        VideoError: the file cannot be read.
    """
    clip = _clip(request, options)
    if not len(clip):
        raise InputError("the clip has no frames; it needs at least 1")
    chosen = _spread(len(clip), options.frames)
    first = request.start or 0.0
    last = clip.info.duration if request.end is None else request.end
    times = [max(0.0, float(clip.timestamps[i]) - first) for i in chosen]
    length = max(times[-1], last - first) if len(clip) > 1 or last > first else 0.0
    return Shown(tuple(jpeg_url(clip.frames[i], options) for i in chosen), tuple(times), length)


def _clip(request: Request, options: PictureOptions) -> Clip:
    from vidprompter.video.clip import Clip
    from vidprompter.video.sampling import Uniform
    from vidprompter.video.source import VideoSource

    if isinstance(request.video, Clip):
        return request.video
    if request.video is None:
        raise InputError(
            "this engine looks at frames, and the request has a scene sheet alone; give video= too"
        )
    source = VideoSource(request.video, start=request.start, end=request.end, threads=1)
    return source.sample(Uniform(options.frames, max_side=options.max_side))[0]


def _spread(count: int, wanted: int) -> list[int]:
    """The middles of `wanted` equal parts of `count` things; all of them where there are no more."""
    if count <= wanted:
        return list(range(count))
    return [int((i + 0.5) * count / wanted) for i in range(wanted)]


def jpeg_url(frame: NDArray[np.uint8], options: PictureOptions) -> str:
    """`frame` (H, W, 3) uint8 sRGB as a JPEG data URL, shrunk where its longer side is above `options.max_side`."""
    from PIL import Image

    from vidprompter.video.sampling import fit_within

    picture = Image.fromarray(frame)
    size = fit_within(picture.width, picture.height, options.max_side)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=options.quality)
    return _data_url("image/jpeg", file.getvalue())


def file_url(path: Path, options: PictureOptions) -> str:
    """The video file as a data URL.

    Raises:
        InputError: it is larger than `options.max_file_bytes`.
        VideoError: it cannot be read.
    """
    from vidprompter.errors import VideoUnreadable
    from vidprompter.video.files import show

    try:
        size = path.stat().st_size
        if size > options.max_file_bytes:
            raise InputError(
                f"{show(path)} has {size / 1e6:.1f} MB; files of up to {options.max_file_bytes / 1e6:.1f} MB are sent "
                "whole (raise max_file_bytes, or send frames)"
            )
        data = path.read_bytes()
    except OSError as error:
        raise VideoUnreadable(f"{show(path)} cannot be read: {error.strerror or error}") from error
    kind = mimetypes.guess_type(path.name)[0] or "video/mp4"
    return _data_url(kind if kind.startswith("video/") else "video/mp4", data)


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
