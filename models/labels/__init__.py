"""Class names, as plain text files: line n is class n (COCO counts from 1 and has gaps, ImageNet from 0).

The ImageNet names are those that torchvision (BSD-3-Clause) gives the 1000 classes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=8)
def read_labels(name: str) -> tuple[str, ...]:
    """The lines of `<name>.txt` in this folder; an empty line is a number that no class has."""
    return tuple(Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8").splitlines())
