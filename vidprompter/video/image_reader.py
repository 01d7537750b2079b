"""Reads pictures with Pillow: a still one is a video of one frame, an animated one of several."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidprompter.errors import CorruptVideo, VideoUnreadable
from vidprompter.video.clip import VideoInfo
from vidprompter.video.color import over
from vidprompter.video.files import show
from vidprompter.video.reader import TIME_SLACK, Moment, Picture, Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What browsers do with a frame that says it lasts no time.
_DEFAULT_FRAME_SECONDS = 0.1
_MAX_PIXELS = 16384 * 16384
_WHITE = 255
# What Pillow raises, depending on the format, when it meets damage.
_BAD_PICTURE = (EOFError, OSError, SyntaxError, ValueError)


class ImageReader:
    """A `FrameReader` of pictures; transparent parts turn white."""

    name = "image"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damaged = False
        self.ended_at: float | None = None
        self.frames_in_all: int | None = None

    def info(self) -> VideoInfo:
        """What the picture says about itself; a still one has duration 0, rate 0 and one frame.

        Raises:
            CorruptVideo: it does not open.
        """
        with _opened(self._path) as image:
            starts, end = self._schedule(image)
            turned = self._exif_orientation(image)
            width, height = image.size[::-1] if turned >= 5 else image.size
            return VideoInfo(
                path=str(self._path),
                width=width,
                height=height,
                fps=len(starts) / end if end > 0 else 0.0,
                duration=end,
                frame_count=len(starts),
                rotation={3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}.get(turned, 0),
                codec=(image.format or "unknown").lower(),
                backend=self.name,
            )

    def read(self, moments: Sequence[Moment], sizes: Sequence[Size]) -> Iterator[Picture]:
        """Yields the frames on screen at `moments`.

        Raises:
            CorruptVideo: nothing decodes.
        """
        with _opened(self._path) as image:
            starts, _ = self._schedule(image)
            asked = np.array([moment.time for moment in moments]) + TIME_SLACK
            numbers = np.clip(np.searchsorted(starts, asked, side="right") - 1, 0, None).tolist()
            wanted: dict[int, set[int]] = {}
            for number, moment in zip(numbers, moments, strict=True):
                wanted.setdefault(number, set()).update(moment.plans)
            for number in sorted(wanted):
                frame = self._frame(image, number, first=number == min(wanted))
                if frame is None:
                    break
                yield Picture(float(starts[number]), {n: _resized(frame, sizes[n]) for n in wanted[number]})

    def _schedule(self, image: Any) -> tuple[NDArray[np.float64], float]:
        """When each frame begins, and when the last one ends; a still picture takes no time."""
        count = int(getattr(image, "n_frames", 1)) if getattr(image, "is_animated", False) else 1
        if count < 2:
            return np.zeros(1), 0.0
        lengths = []
        for number in range(count):
            try:
                image.seek(number)
                if image.format == "WEBP":
                    image.load()  # only then does Pillow know how long the frame lasts
            except _BAD_PICTURE:
                self.damaged = True
                break
            lengths.append(float(image.info.get("duration") or 0) / 1000 or _DEFAULT_FRAME_SECONDS)
        image.seek(0)
        ends = np.cumsum(lengths)
        return np.concatenate([[0.0], ends[:-1]]), float(ends[-1])

    def _exif_orientation(self, image: Any) -> int:
        """1-8; 5-8 swap the sides."""
        try:
            return int(image.getexif().get(0x0112, 1))
        except _BAD_PICTURE as error:  # PNG keeps it behind the pixels
            raise _corrupt(self._path, error) from None

    def _frame(self, image: Any, number: int, *, first: bool) -> Any:
        """The upright sRGB frame as a Pillow image; None where a later frame is damaged."""
        try:
            if number:
                image.seek(number)
            return _to_srgb(image)
        except _BAD_PICTURE as error:
            if first:
                raise _corrupt(self._path, error) from None
            self.damaged = True
            return None


def _opened(path: Path) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; the limit below is ours and is an error.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(path.read_bytes()))
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise _corrupt(path, error) from None
    except OSError as error:
        if error.errno is not None:
            raise VideoUnreadable(f"{show(path)} cannot be read ({error.strerror})") from None
        raise _corrupt(path, error) from None
    if image.width * image.height > _MAX_PIXELS:
        raise CorruptVideo(
            f"{show(path)} is {image.width}x{image.height}, above {_MAX_PIXELS} pixels; shrink it first"
        )
    return image


def _corrupt(path: Path, error: Exception) -> CorruptVideo:
    return CorruptVideo(f"{show(path)} does not open as a picture ({type(error).__name__}); save it again")


def _to_srgb(image: Any) -> Any:
    """An upright 8-bit RGB copy of the current frame."""
    from PIL import Image, ImageOps

    profile = image.info.get("icc_profile")
    frame = ImageOps.exif_transpose(image)
    if frame.mode.startswith("I") or frame.mode == "F":
        deep = np.asarray(frame, dtype=np.float64)
        return Image.fromarray(np.uint8(np.clip(deep / 257, 0, 255) + 0.5)).convert("RGB")
    has_alpha = "A" in frame.getbands() or "transparency" in frame.info
    frame = frame.convert("RGBA") if has_alpha else _in_srgb(frame, profile)
    return Image.fromarray(over(np.asarray(frame), _WHITE)) if has_alpha else frame


def _in_srgb(frame: Any, profile: bytes | None) -> Any:
    from PIL import ImageCms

    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(frame, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile, or one of another colour model: the numbers are taken as sRGB
    return frame.convert("RGB")


def _resized(frame: Any, size: Size) -> NDArray[np.uint8]:
    from PIL import Image

    if frame.size != size:
        frame = frame.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(frame, dtype=np.uint8)
