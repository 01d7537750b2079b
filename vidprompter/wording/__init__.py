"""What the words of a prompt must keep to: locked phrases, avoided words, prefix, length, language.

Nothing here imports torch or spaCy before a text is mended, so that usage errors come at once.
"""

from __future__ import annotations

from vidprompter.wording.checks import checked
from vidprompter.wording.inflections import inflections
from vidprompter.wording.instructions import instructions, language_name
from vidprompter.wording.loops import is_loop
from vidprompter.wording.mentions import find_mentions, holds_locked, mentions

__all__ = [
    "checked",
    "find_mentions",
    "holds_locked",
    "inflections",
    "instructions",
    "is_loop",
    "language_name",
    "mentions",
]
