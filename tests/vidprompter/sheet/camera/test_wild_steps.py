"""A still camera before which things pass now and then."""

import numpy as np

from vidprompter.sheet.camera.classify import name_motion, trend_of


def steps(jitter: float, wild: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    out = np.zeros((120, 4))
    out[:, :2] = rng.normal(0, jitter * 0.125, (120, 2))
    for index in range(wild):
        # there and back again, as when a passing car is taken for the scene
        out[10 + 20 * index, 0], out[11 + 20 * index, 0] = 0.08, -0.08
    return out


def test_a_few_wild_steps_do_not_shake_a_still_camera() -> None:
    spans = np.full(120, 0.125)
    assert name_motion(trend_of(steps(0.001, wild=5), spans)).motion == "static"
    assert name_motion(trend_of(steps(0.001, wild=0), spans)).motion == "static"
    assert name_motion(trend_of(steps(0.03, wild=0), spans)).motion == "handheld"
