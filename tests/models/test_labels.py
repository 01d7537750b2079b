"""The class names stand at the numbers that the networks use."""

from __future__ import annotations

from models.detector import coco_label
from models.labels import read_labels


def test_coco() -> None:
    labels = read_labels("coco")
    assert len([label for label in labels if label]) == len({label for label in labels if label}) == 80
    found = {number: coco_label(number, labels) for number in (1, 3, 16, 17, 44, 62, 72, 90)}
    assert found == {
        1: "person", 3: "car", 16: "bird", 17: "cat", 44: "bottle", 62: "chair", 72: "tv", 90: "toothbrush",
    }  # fmt: skip
    gaps = [number for number in range(1, 91) if coco_label(number, labels) is None]
    assert gaps == [12, 26, 29, 30, 45, 66, 68, 69, 71, 83]  # the classes COCO's boxes leave out
    assert coco_label(0, labels) is coco_label(91, labels) is None


def test_imagenet() -> None:
    labels = read_labels("imagenet")
    assert len(labels) == len(set(labels)) == 1000
    assert (labels[0], labels[285], labels[898], labels[999]) == (
        "tench", "Egyptian cat", "water bottle", "toilet tissue",
    )  # fmt: skip
