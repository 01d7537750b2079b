"""How often the measured camera motion is right, on clips rendered from pictures with a known motion.

    python benchmarks/camera_motion.py --clips DIR       # pictures taken out of videos
    python benchmarks/camera_motion.py --pictures DIR    # photographs
    python benchmarks/camera_motion.py                   # made-up pictures, nothing needed

Plain clips: one motion at 6-40 % of the frame a second (zoom 4-20 %, roll 4-20 degrees). Hard clips: half of
them slow (1.5-5 % a second), half with an object from another picture, 25-45 % of the frame, moving on its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from camera_clips import (
    PLAIN_MOTIONS,
    Level,
    Picture,
    Recipe,
    draw_recipe,
    made_up_picture,
    render_clip,
    through_codec,
)

from vidprompter.sheet.camera import measure_camera
from vidprompter.sheet.types import CameraMotion

HELD_OUT_SEED = 90_000  # no clip of these seeds was looked at while the method was tuned
STATED = 0.5  # confidence from which a motion is stated


@dataclass(frozen=True)
class Outcome:
    """One clip: what was rendered, what was measured, and the seconds it took."""

    recipe: Recipe
    measured: CameraMotion
    seconds: float

    @property
    def right(self) -> bool:
        """Whether the measured word is the rendered one."""
        return self.measured.motion == self.recipe.motion


def load_pictures(folder: Path) -> list[Picture]:
    """The readable pictures of a folder, RGB, in the order of their names."""
    read = [cv2.imread(str(p)) for p in sorted(folder.iterdir()) if p.is_file()]
    return [np.ascontiguousarray(p[..., ::-1]) for p in read if p is not None and min(p.shape[:2]) >= 128]


def frames_of_clips(folder: Path, every: float = 4.0, most: int = 3) -> list[Picture]:
    """Frames of the folder's videos, `every` seconds, at most `most` a video; dark and flat ones left out."""
    out: list[Picture] = []
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in {".mp4", ".mkv", ".mov", ".webm"}):
        with av.open(str(path)) as video:
            due, taken = 0.5, 0
            for frame in video.decode(video=0):
                if taken == most:
                    break
                if frame.time is None or frame.time < due:
                    continue
                due += every
                picture = _without_bars(frame.to_ndarray(format="rgb24"))
                if picture is not None:
                    out.append(picture)
                    taken += 1
    return out


def _without_bars(picture: Picture) -> Picture | None:
    bright = picture.max(axis=2)
    rows, cols = np.flatnonzero(bright.max(axis=1) > 40), np.flatnonzero(bright.max(axis=0) > 40)
    if rows.size < 100 or cols.size < 100:
        return None
    cut = picture[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return np.ascontiguousarray(cut) if cut.std() > 12 else None


def choose(index: int, hard: bool) -> tuple[Level, str]:
    """Level and motion of the index-th clip; hard ones take turns between slow moves and objects."""
    if not hard:
        return "plain", PLAIN_MOTIONS[index % len(PLAIN_MOTIONS)]
    if index % 2:
        return "slow", PLAIN_MOTIONS[1 + (index // 2) % (len(PLAIN_MOTIONS) - 1)]
    return "object", PLAIN_MOTIONS[(index // 2) % len(PLAIN_MOTIONS)]


def measure(recipe: Recipe, pictures: list[Picture]) -> Outcome:
    """Renders one clip, sends it through h264, measures it."""
    frames, _ = render_clip(recipe, pictures)
    small, times = through_codec(frames, recipe.fps, recipe.crf)
    start = time.process_time()
    measured = measure_camera(small, times)
    return Outcome(recipe, measured, time.process_time() - start)


def summary(outcomes: list[Outcome]) -> dict[str, object]:
    """Counts ready for JSON: right/of a level, stated and right among the stated, confusions, time."""
    levels: dict[str, dict[str, int]] = {}
    for name, members in (("plain", ("plain",)), ("hard", ("slow", "object")), ("slow", ("slow",)),
                          ("object", ("object",))):  # fmt: skip
        chosen = [o for o in outcomes if o.recipe.level in members]
        stated = [o for o in chosen if o.measured.confidence >= STATED and o.measured.motion != "unknown"]
        levels[name] = {
            "right": sum(o.right for o in chosen), "of": len(chosen),
            "stated_right": sum(o.right for o in stated), "stated": len(stated),
        }  # fmt: skip
    confusion = Counter(f"{o.recipe.motion} -> {o.measured.motion}" for o in outcomes if not o.right)
    return {
        "counts": levels,
        "ratios": {k: round(v["right"] / v["of"], 4) for k, v in levels.items() if v["of"]},
        "by_motion": {
            m: [sum(o.right for o in outcomes if o.recipe.motion == m),
                sum(o.recipe.motion == m for o in outcomes)] for m in PLAIN_MOTIONS
        },
        "confusion": dict(sorted(confusion.items())),
        "cpu_seconds_a_clip": round(float(np.mean([o.seconds for o in outcomes])), 3),
    }  # fmt: skip


def print_table(result: dict[str, object]) -> None:
    """None; prints the summary as text."""
    print(f"{'clips':8} {'right':>9} {'stated':>9} {'right among stated':>20}")
    counts = result["counts"]
    assert isinstance(counts, dict)
    for name, row in counts.items():
        right, stated = f"{row['right']}/{row['of']}", f"{row['stated']}/{row['of']}"
        print(f"{name:8} {right:>9} {stated:>9} {row['stated_right']}/{row['stated']:<12}".rstrip())
    by_motion, confusion = result["by_motion"], result["confusion"]
    assert isinstance(by_motion, dict) and isinstance(confusion, dict)
    for motion, (right, of) in by_motion.items():
        print(f"  {motion:10} {right}/{of}")
    for pair, count in confusion.items():
        print(f"  wrong: {pair} ({count})")
    print(f"CPU seconds a clip: {result['cpu_seconds_a_clip']}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, help="folder of photographs")
    parser.add_argument("--clips", type=Path, help="folder of videos; frames are taken from them")
    parser.add_argument("--plain", type=int, default=30, help="number of plain clips")
    parser.add_argument("--hard", type=int, default=30, help="number of hard clips")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    pictures: list[Picture] = []
    if args.pictures:
        pictures += load_pictures(args.pictures)
    if args.clips:
        pictures += frames_of_clips(args.clips)
    if not (args.pictures or args.clips):
        print("no --pictures or --clips: using made-up pictures", file=sys.stderr)
        pictures = [made_up_picture(i) for i in range(12)]
    if len(pictures) < 2:
        print("found fewer than 2 usable pictures; name a folder with more of them", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    outcomes = []
    for hard, count in ((False, args.plain), (True, args.hard)):
        for i in range(count):
            level, motion = choose(i, hard)
            outcomes.append(measure(draw_recipe(args.seed + i, level, motion, len(pictures)), pictures))
    result = {"pictures": len(pictures), "seed": args.seed, **summary(outcomes)}
    print(json.dumps(result, indent=1)) if args.json else print_table(result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
