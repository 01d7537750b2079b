"""Text-to-video models that prompts are written for: how long a prompt each one reads, and how it likes to be told.

One TOML file each; a user's own lie in the config folder's `targets/`, or are named by their path. No torch here.
"""

from __future__ import annotations

from vidprompter.targets.count import Count, count_tokens, fits
from vidprompter.targets.files import names, target
from vidprompter.targets.fit import fit_text
from vidprompter.targets.profile import Target

__all__ = ["Count", "Target", "count_tokens", "fit_text", "fits", "names", "target"]
