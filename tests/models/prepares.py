"""`prepare` functions for tests, named in their tables as "tests.models.prepares:..."."""

from __future__ import annotations

import os
import time
from pathlib import Path


def count_words(folder: Path) -> None:
    """Writes how many words there are; logs the call, and takes its time if told."""
    log = os.environ.get("TINY_LOG")
    if log:
        with Path(log).open("a") as lines:
            lines.write("prepared\n")
    time.sleep(float(os.environ.get("TINY_SECONDS", "0")))
    words = (folder / "more/words.txt").read_text().split()
    (folder / "count.txt").write_text(str(len(words)))


def forget(folder: Path) -> None:
    """Writes nothing."""
