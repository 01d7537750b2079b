"""Where the samples fall."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidprompter.errors import InputError
from vidprompter.video.sampling import AtRate, Uniform, fit_within

# A loaded machine is no reason to fail.
patient = settings(deadline=None)

spans = st.floats(min_value=0.02, max_value=20_000, allow_nan=False)
starts = st.floats(min_value=0, max_value=10_000, allow_nan=False)


def test_uniform_takes_the_middle_of_each_part() -> None:
    assert Uniform(4).times(10.0, 14.0).tolist() == [10.5, 11.5, 12.5, 13.5]
    assert Uniform(1).times(0.0, 9.0).tolist() == [4.5]


def test_at_rate_covers_the_range() -> None:
    assert AtRate(4.0).times(1.0, 2.0).tolist() == [1.0, 1.25, 1.5, 1.75]
    assert len(AtRate(8.0).times(0.0, 60.0)) == 480


def test_at_rate_takes_bursts_of_a_long_film() -> None:
    times = AtRate(fps=8.0, max_frames=480, burst_frames=16).times(0.0, 7200.0)
    assert len(times) == 480
    bursts = times.reshape(30, 16)
    assert np.allclose(np.diff(bursts, axis=1), 1 / 8)
    assert np.allclose(np.diff(bursts[:, 0]), 240.0)
    # Each burst is in the middle of its 240 s.
    assert np.allclose(bursts.mean(axis=1), np.arange(30) * 240 + 120, atol=0.1)


@patient
@given(start=starts, span=spans, count=st.integers(1, 64))
def test_uniform_is_increasing_inside_and_even(start: float, span: float, count: int) -> None:
    times = Uniform(count).times(start, start + span)
    assert len(times) == count
    assert (np.diff(times) > 0).all()
    assert times[0] >= start and times[-1] < start + span
    assert np.allclose(np.diff(times), span / count, rtol=1e-3)


@patient
@given(
    start=starts,
    span=spans,
    fps=st.floats(min_value=0.1, max_value=120),
    max_frames=st.integers(1, 600),
    burst=st.integers(1, 32),
)
def test_at_rate_never_exceeds_its_bound_nor_leaves_the_range(
    start: float, span: float, fps: float, max_frames: int, burst: int
) -> None:
    burst = min(burst, max_frames)
    times = AtRate(fps, max_frames=max_frames, burst_frames=burst).times(start, start + span)
    assert 1 <= len(times) <= max_frames
    assert (np.diff(times) > 0).all()
    assert times[0] >= start and times[-1] < start + span
    # No two samples are closer than the rate allows, and an unbroken run has no hole.
    assert (np.diff(times) > 0.99 / fps - 1e-6).all()
    if span * fps < max_frames - 1:
        assert len(times) >= int(span * fps)
        assert np.allclose(np.diff(times), 1 / fps, atol=1e-6)


@patient
@given(start=starts)
def test_an_empty_range_gives_its_one_moment(start: float) -> None:
    assert Uniform(8).times(start, start).tolist() == [start]
    assert AtRate(8).times(start, start).tolist() == [start]


@patient
@given(width=st.integers(1, 20_000), height=st.integers(1, 20_000), side=st.integers(16, 2048))
def test_fit_within_bounds_and_keeps_the_aspect(width: int, height: int, side: int) -> None:
    new_width, new_height = fit_within(width, height, side)
    assert 1 <= new_width <= min(width, side) and 1 <= new_height <= min(height, side)
    if max(width, height) <= side:
        assert (new_width, new_height) == (width, height)
    else:
        assert max(new_width, new_height) == side
        assert abs(new_width * height - new_height * width) <= max(width, height) * 0.5 + 1 or 1 in (
            new_width,
            new_height,
        )


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: Uniform(0), "count"),
        (lambda: Uniform(8, max_side=4), "max_side"),
        (lambda: AtRate(0), "fps"),
        (lambda: AtRate(float("nan")), "fps"),
        (lambda: AtRate(8, max_frames=0), "max_frames"),
        (lambda: AtRate(8, max_frames=4, burst_frames=5), "burst_frames"),
        (lambda: AtRate(8, max_side=100_000), "max_side"),
    ],
)
def test_senseless_plans_are_refused(build, named: str) -> None:
    with pytest.raises(InputError, match=named):
        build()
