"""Task 1: a video in, a detailed prompt out, with the facts that were measured on the way.

python examples/caption_clip.py clip.mp4
"""

from __future__ import annotations

import sys

from vidprompter import VidPrompter

if len(sys.argv) != 2:
    sys.exit("usage: python examples/caption_clip.py CLIP")

vp = VidPrompter.load("builtin")
prompt = vp.caption(sys.argv[1])
print(prompt.text)

if prompt.sheet is not None:
    camera = prompt.sheet.camera
    print(f"\nmeasured: camera {camera.motion} ({camera.confidence:.0%} sure)", file=sys.stderr)
    for thing in prompt.sheet.objects:
        print(f"measured: {thing.count} x {thing.label} ({thing.confidence:.0%} sure)", file=sys.stderr)
