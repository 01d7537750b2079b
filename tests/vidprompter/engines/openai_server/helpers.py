"""Requests and clips that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.vidprompter.engines.openai_server.conftest import Served
from vidprompter.engines.openai_server import OpenAIEngine
from vidprompter.tasks import Request, Sampling, Task
from vidprompter.video.clip import Clip, VideoInfo

KEY = "sk-secret-0123456789"


def engine_at(served: Served, url: str | None = None, **options: Any) -> OpenAIEngine:
    """An engine that waits but a little."""
    chosen: dict[str, Any] = {"timeout_seconds": 60.0, "first_wait_seconds": 0.02} | options
    return OpenAIEngine(served.model, base_url=url or served.url, **chosen)


def idea(number: int, *, tokens: int = 4, **sampling: Any) -> Request:
    """Task 3 with a text of its own."""
    return Request(
        Task.SHORT_TO_PROMPT,
        short=f"idea number {number}",
        seed=number,
        sampling=Sampling(max_new_tokens=tokens, **sampling),
    )


def clip(frames: int = 8, *, width: int = 64, height: int = 48, seconds: float = 4.0) -> Clip:
    """Coloured noise."""
    pictures = np.random.default_rng(0).integers(0, 255, (frames, height, width, 3), dtype=np.uint8)
    times = (np.arange(frames) + 0.5) * seconds / frames
    info = VideoInfo("clip.mp4", width, height, frames / seconds, seconds, frames, 0, "h264", "pyav")
    return Clip(pictures, times, info)


def watch(**sampling: Any) -> Request:
    """Task 1 with frames that are in memory."""
    return Request(
        Task.VIDEO_TO_PROMPT, video=clip(), sampling=Sampling(max_new_tokens=8, temperature=0, **sampling)
    )
