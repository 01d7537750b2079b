"""The example scripts and the blocks of docs/python_api.md run as they are written, on the real model."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

from vidprompter import Sampling

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = {
    "caption_clip.py": ["clip.mp4"],
    "improve_caption.py": ["clip.mp4", "a coloured square moves over a wall"],
    "expand_idea.py": ["a cat on a roof"],
    "rank_prompts.py": [
        "clip.mp4",
        "a red square moves over a grey wall from left to right, and the camera stays where it is",
        "five green dogs run along a sunny beach while the camera zooms in on them",
    ],
}

pytestmark = pytest.mark.weights


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds clip.mp4, one second of a square that moves over a wall."""
    write_clip(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    # The real model, but one candidate where a script does not say otherwise: 4 take 4 times as long.
    monkeypatch.setattr(Sampling.__init__, "__defaults__", (96, 0.7, 0.9, 1, 1, ()))
    return tmp_path


def write_clip(path: Path) -> None:
    import av
    import numpy as np

    wall = np.random.default_rng(0).integers(90, 160, (12, 16, 1)).repeat(16, 0).repeat(16, 1).repeat(3, 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = 256, 192, "yuv420p"
        for step in range(12):
            picture = wall.astype(np.uint8)
            picture[60:120, 20 + 12 * step : 80 + 12 * step] = (200, 40, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def test_every_script_is_listed() -> None:
    assert {file.name for file in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("script", EXAMPLES)
def test_script(
    script: str, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [script, *EXAMPLES[script]])
    runpy.run_path(str(ROOT / "examples" / script), run_name="__main__")
    assert len(capsys.readouterr().out.split()) > 30


def test_the_api_page(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "python_api.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    for block in blocks:  # they read as one session
        exec(compile(block, "docs/python_api.md", "exec"), names)
    assert "failed: VideoNotFound" in capsys.readouterr().out
