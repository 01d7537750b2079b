"""A file's pictures one after the other are those of a sampling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.vidprompter.video.make import number_of, numbered, write_video
from vidprompter.errors import InputError, VideoNotFound
from vidprompter.video.sampling import AtRate
from vidprompter.video.source import VideoSource
from vidprompter.video.stream import FrameStream, _Moments


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("start", "end"), [(None, None), (1.0, None), (0.55, 2.0)])
def test_the_pictures_are_those_of_a_sampling(
    tmp_path: Path, suffix: str, start: float | None, end: float | None
) -> None:
    film = write_video(tmp_path / f"a{suffix}", [numbered(n) for n in range(40)], rate=10)
    (clip,) = VideoSource(film, start=start, end=end, threads=1).sample(AtRate(4))
    stream = FrameStream(film, start=start, end=end)
    shown = list(stream.frames(4, 320))
    assert [time for time, _ in shown] == clip.timestamps.tolist()
    assert [number_of(image) for _, image in shown] == [number_of(image) for image in clip.frames]
    assert (stream.start, stream.end) == (start or 0.0, pytest.approx(end or 4.0))


def test_pictures_are_streams_too(tmp_path: Path) -> None:
    Image.new("RGB", (80, 60), "red").save(tmp_path / "p.png")
    stream = FrameStream(tmp_path / "p.png")
    ((time, image),) = stream.frames(8, 40)
    assert (stream.start, stream.end, time, image.shape) == (0.0, 0.0, 0.0, (30, 40, 3))
    colors = [Image.new("RGB", (80, 60), color) for color in ("red", "blue", "lime")]
    colors[0].save(tmp_path / "p.gif", save_all=True, append_images=colors[1:], duration=500)
    stream = FrameStream(tmp_path / "p.gif")
    assert [time for time, _ in stream.frames(8, 40)] == [0.0, 0.5, 1.0]
    assert stream.end == 1.5


def test_bad_ranges_and_files_are_named(tmp_path: Path) -> None:
    film = write_video(tmp_path / "a.mp4", [numbered(n) for n in range(10)], rate=10)
    with pytest.raises(InputError, match="start earlier"):
        FrameStream(film, start=1.0)
    with pytest.raises(InputError, match="above start"):
        FrameStream(film, start=0.5, end=0.5)
    with pytest.raises(VideoNotFound):
        FrameStream(tmp_path / "b.mp4")


def test_moments_are_a_sequence() -> None:
    moments = _Moments(1.0, 3.0, 8.0)
    times = [moment.time for moment in moments]
    assert times == AtRate(8.0).times(1.0, 3.0).tolist()
    assert moments[-1].time == times[-1] and [m.time for m in moments[2:4]] == times[2:4]
    with pytest.raises(IndexError):
        moments[len(moments)]
    assert np.isfinite(_Moments(0.0, 86400.0 * 365, 8.0)[-1].time)  # a year of them takes no room
