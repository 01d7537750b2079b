"""Task 2: a video and a short description, which may be wrong, in; a detailed prompt out.

python examples/improve_caption.py clip.mp4 "a man talks in a car"
"""

from __future__ import annotations

import sys

from vidprompter import VidPrompter

if len(sys.argv) != 3:
    sys.exit('usage: python examples/improve_caption.py CLIP "SHORT DESCRIPTION"')

vp = VidPrompter.load("builtin")
clip, short = sys.argv[1:]
print("without:", vp.caption(clip).text)
print("with:   ", vp.caption(clip, short=short).text)
