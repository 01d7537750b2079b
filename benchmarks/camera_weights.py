"""Learns the weights by which the scene's layer is told from an object's (`WEIGHTS` in camera/background.py).

    python benchmarks/camera_weights.py --clips DIR --pictures DIR --count 200

Every window of rendered clips gives its layers' features and, from the known camera path, which layer is the
scene. A softmax regression over the layers of a window learns the weights; one more class, `NO_SCENE`, stands
for windows without a scene. Prints the weights and the share of clips told right in five-fold crossing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from camera_clips import (
    PLAIN_MOTIONS,
    Picture,
    Recipe,
    camera_path,
    draw_recipe,
    made_up_picture,
    render_clip,
    through_codec,
)
from camera_motion import frames_of_clips, load_pictures
from numpy.typing import NDArray

from vidprompter.sheet.camera.background import layer_features, open_windows
from vidprompter.sheet.camera.layers import Layer, Window, find_layers
from vidprompter.sheet.camera.tracks import follow_points, gray_small

Features = NDArray[np.float64]
Example = tuple[int, Features, NDArray[np.float64]]  # clip, (K + 1, F + 1) features, (K + 1,) target


def is_scene(window: Window, layer: Layer, a: complex, b: complex) -> bool:
    """Whether a layer moves as the camera did between the window's ends: z -> a z + b."""
    z = window.z[0][layer.member]
    if not len(z):
        return False
    miss = float(np.median(np.abs(layer.a * z + layer.b - a * z - b)))
    return miss < 1.0 + 0.03 * float(np.median(np.abs(z * (a - 1) + b)))


def examples_of(clip: int, recipe: Recipe, pictures: list[Picture]) -> list[Example]:
    """The windows of one rendered clip that hold more than one layer, or none of the scene's."""
    frames, _ = render_clip(recipe, pictures)
    small, times = through_codec(frames, recipe.fps, recipe.crf)
    path = camera_path(recipe, len(frames))
    path = path[np.round(times * recipe.fps).astype(int).clip(0, len(frames) - 1)]
    tracks, rng = follow_points(gray_small(small)), np.random.default_rng(0)
    shift = path[:, 0] * tracks.size[0] + 1j * path[:, 1] * tracks.size[1]
    growth = path[:, 2] * np.exp(1j * path[:, 3])
    out = []
    for window in open_windows(tracks, 8):
        layers = find_layers(window, rng)
        a = complex(growth[window.end] / growth[window.start])
        b = complex(a * shift[window.start] - shift[window.end])
        truth = np.array([is_scene(window, layer, a, b) for layer in layers], dtype=np.float64)
        if not layers or truth.all():
            continue
        rows = [layer_features(window, layers, k, tracks.size) for k in range(len(layers))]
        table = np.zeros((len(rows) + 1, rows[0].size + 1))
        table[:-1, :-1], table[-1, -1] = rows, 1.0
        target = np.append(truth, 0.0 if truth.any() else 1.0)
        out.append((clip, table, target / target.sum()))
    return out


def learn(examples: list[Example], decay: float = 5e-4, rounds: int = 3000) -> Features:
    """(F + 1,) weights of the softmax regression; clips count by the root of their windows."""
    _, where, count = np.unique([e[0] for e in examples], return_inverse=True, return_counts=True)
    share = 1 / np.sqrt(count[where])
    share /= share.sum()
    weights = np.zeros(examples[0][1].shape[1])
    for step in range(rounds):
        slope = decay * weights
        for part, (_, table, target) in zip(share, examples, strict=True):
            score = table @ weights
            chance = np.exp(score - score.max())
            slope = slope + part * (chance / chance.sum() - target) @ table
        weights = weights - 4.0 / (1 + step / 500) * slope
    return weights


def told_right(examples: list[Example], weights: Features) -> tuple[int, int]:
    """(right, all) clips by the sum over their windows of the scene's lead over its best rival."""
    lead: dict[int, float] = {}
    for clip, table, target in examples:
        score = (table @ weights)[:-1]
        mine = target[:-1] > 0
        if mine.any() and not mine.all():
            gap = float(np.clip(score[mine].max() - score[~mine].max(), -5, 5))
            lead[clip] = lead.get(clip, 0.0) + gap
    return sum(v > 0 for v in lead.values()), len(lead)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--count", type=int, default=200, help="clips to render")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1000)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = load_pictures(args.pictures) if args.pictures else []
    pictures += frames_of_clips(args.clips) if args.clips else []
    pictures = pictures or [made_up_picture(i) for i in range(12)]
    examples: list[Example] = []
    for i in range(args.count):
        motion = "static" if i % 3 == 0 else PLAIN_MOTIONS[i % len(PLAIN_MOTIONS)]
        examples += examples_of(i, draw_recipe(args.seed + i, "object", motion, len(pictures)), pictures)
    folds = [
        told_right([e for e in examples if e[0] % 5 == fold],
                   learn([e for e in examples if e[0] % 5 != fold], rounds=args.rounds)) for fold in range(5)
    ]  # fmt: skip
    print(f"{len(examples)} windows; clips told right: {sum(f[0] for f in folds)}/{sum(f[1] for f in folds)}")
    *weights, none = learn(examples, rounds=args.rounds)
    print("WEIGHTS =", [round(float(w), 1) for w in weights], " NO_SCENE =", round(float(none), 1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
