"""VidPrompter: detailed, checked prompts for text-to-video models.

>>> from vidprompter import VidPrompter, Task          # doctest: +SKIP
>>> vp = VidPrompter.load("builtin")                   # doctest: +SKIP
>>> print(vp.caption("clip.mp4").text)                 # doctest: +SKIP

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from vidprompter._shadow import check_own_packages

if TYPE_CHECKING:
    from vidprompter.api import VidPrompter as VidPrompter
    from vidprompter.engines.options import EngineOptions as EngineOptions
    from vidprompter.tasks import Prompt as Prompt
    from vidprompter.tasks import Request as Request
    from vidprompter.tasks import Sampling as Sampling
    from vidprompter.tasks import Task as Task
    from vidprompter.tasks import Wording as Wording

check_own_packages(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120

__version__ = "0.1.0"

_WHERE = {
    "VidPrompter": "vidprompter.api",
    "Prompt": "vidprompter.tasks",
    "Request": "vidprompter.tasks",
    "Sampling": "vidprompter.tasks",
    "Wording": "vidprompter.tasks",
    "Task": "vidprompter.tasks",
    "EngineOptions": "vidprompter.engines.options",
    "Clip": "vidprompter.video.clip",
    "VideoSource": "vidprompter.video.source",
    "SceneSheet": "vidprompter.sheet.types",
}
__all__ = [
    "Clip",
    "EngineOptions",
    "Prompt",
    "Request",
    "Sampling",
    "SceneSheet",
    "Task",
    "VidPrompter",
    "VideoSource",
    "Wording",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'vidprompter' has no attribute {name!r}")
