"""What the words of a prompt must keep to: locked phrases, avoided words, prefix, length, language.

Nothing here imports torch or spaCy before a text is mended, so that usage errors come at once.
"""

from __future__ import annotations

from vidprompter.wording.instructions import instructions, language_name

__all__ = ["instructions", "language_name"]
