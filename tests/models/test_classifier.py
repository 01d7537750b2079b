"""The classifier on real frames, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from models.classifier import Classifier, load_classifier
from models.errors import CapabilityError, ModelError, WeightsMissing


def test_missing_weights_say_what_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path))
    with pytest.raises(WeightsMissing, match="vidprompter models pull efficientnet-lite2"):
        load_classifier()


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"\(H, W, 3\) uint8"):
        Classifier(None, "").probabilities([np.zeros(shape, np.uint8)])


@pytest.mark.weights
def test_the_suit_in_the_car() -> None:
    from tests.models.clips import example_frames

    classifier = load_classifier()
    frames = list(example_frames("carphone", 4))
    found = classifier.probabilities(frames)
    assert found.shape == (4, 1000) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-4)
    clothes = [classifier.labels.index(name) for name in ("suit", "bow tie", "Windsor tie")]
    assert found.mean(0)[clothes].sum() > 0.25
    assert int(found.mean(0).argmax()) in clothes
    centre, whole = (classifier.probabilities(frames, view=view) for view in ("centre", "whole"))
    np.testing.assert_allclose(found, (centre + whole) / 2, atol=1e-6)
    many = classifier.probabilities(frames * 5)  # more than one batch
    np.testing.assert_allclose(many[16:], found, atol=1e-5)
    assert classifier.probabilities([]).shape == (0, 1000)


@pytest.mark.weights
def test_a_gpu_is_never_replaced_silently() -> None:
    from tests.conftest import has_gpu

    if has_gpu():
        pytest.skip("this machine has a GPU")
    with pytest.raises(CapabilityError, match="device='cpu'"):
        load_classifier(device="cuda")


@pytest.mark.weights
def test_detector_and_classifier_do_without_torch() -> None:
    code = (
        "import sys, numpy as np; from models.detector import load_detector; "
        "from models.classifier import load_classifier; frames = np.zeros((1, 90, 160, 3), np.uint8); "
        "load_detector().detect(frames); load_classifier().probabilities(list(frames)); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no library complains about what was not asked for
