"""Clips with a known camera motion, rendered from still pictures.

A camera (place, scale, angle) is moved over a photograph; an object cut from another picture may move on its
own in front. `draw_recipe` draws a clip from a seed, `render_clip` renders it, `through_codec` sends it
through h264 and gives the frames back as the camera code gets them: about 8 a second, 320 pixels at most.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Level = Literal["plain", "slow", "object"]

PLAIN_MOTIONS = (
    "static", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "handheld", "roll",
)  # fmt: skip
SIZES = ((320, 180), (480, 360), (640, 360), (640, 480), (720, 480), (360, 640), (1280, 720))


@dataclass(frozen=True)
class ObjectRecipe:
    """A cut-out of another picture: share of the frame, middle at half time, speed in frames per second."""

    picture: int
    share: float
    ellipse: bool
    middle: tuple[float, float]
    velocity: tuple[float, float]
    swing: float  # amplitude in frames of a sway at 0.5 Hz instead of a straight way; 0: straight


@dataclass(frozen=True)
class Recipe:
    """All that decides a clip. `speed`: fractions of the frame, growth, radians per second, or amplitude."""

    seed: int
    level: Level
    motion: str
    speed: float
    seconds: float
    fps: int
    size: tuple[int, int]
    picture: int
    ease: bool
    whole_pixels: bool
    crf: int
    noise: float
    wobble: str  # kind of handheld path: "waves", "smooth" or "spring"
    thing: ObjectRecipe | None


def draw_recipe(seed: int, level: Level, motion: str, pictures: int) -> Recipe:
    """A random clip of the given level and motion, always the same for the same seed."""
    rng = np.random.default_rng([seed, ["plain", "slow", "object"].index(level)])
    low, high = {"plain": (0.06, 0.40), "slow": (0.015, 0.05), "object": (0.02, 0.25)}[level]
    speed = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if motion.startswith("zoom"):
        speed = float(rng.uniform(0.02, 0.05) if level == "slow" else rng.uniform(0.04, 0.20))
    elif motion == "roll":
        speed = float(np.deg2rad(rng.uniform(3, 6) if level == "slow" else rng.uniform(4, 20)))
    elif motion == "handheld":
        speed = float(rng.uniform(0.004, 0.008) if level == "slow" else rng.uniform(0.006, 0.03))
    elif motion == "static":
        speed = 0.0
    thing = None
    picture = int(rng.integers(pictures))
    if level == "object":
        way, angle = float(np.exp(rng.uniform(np.log(0.03), np.log(0.3)))), rng.uniform(0, 2 * np.pi)
        thing = ObjectRecipe(
            picture=int((picture + rng.integers(1, max(2, pictures))) % pictures),
            share=float(rng.uniform(0.25, 0.45)),
            ellipse=bool(rng.integers(2)),
            middle=(float(rng.uniform(0.35, 0.65)), float(rng.uniform(0.35, 0.65))),
            velocity=(way * float(np.cos(angle)), way * float(np.sin(angle))),
            swing=float(rng.uniform(0.03, 0.12)) if rng.random() < 0.25 else 0.0,
        )
    seconds = float(rng.uniform(2, 5))
    if speed and motion[:3] in ("pan", "til"):
        seconds = min(seconds, max(2.0, 1.0 / speed))
    return Recipe(
        seed=seed, level=level, motion=motion, speed=speed, seconds=seconds, fps=int(rng.choice([24, 25, 30])),
        size=SIZES[int(rng.choice(len(SIZES), p=[0.1, 0.15, 0.25, 0.15, 0.15, 0.1, 0.1]))], picture=picture,
        ease=bool(rng.random() < 0.4), whole_pixels=bool(rng.random() < 0.25), crf=int(rng.integers(18, 33)),
        noise=float(rng.choice([0.0, 0.0, 2.0, 5.0])), wobble=str(rng.choice(["waves", "smooth", "spring"])),
        thing=thing,
    )  # fmt: skip


def progress(recipe: Recipe, count: int) -> NDArray[np.float64]:
    """(T,) seconds' worth of motion done at each frame: straight, or eased at both ends."""
    x = np.arange(count) / max(count - 1, 1)
    if recipe.ease:
        soft = x * x * (3 - 2 * x)
        x = 0.5 * x + 0.5 * soft
    return np.asarray(x * (count - 1) / recipe.fps)


def wobble_path(recipe: Recipe, count: int) -> NDArray[np.float64]:
    """(T, 3) x, y (fractions of the frame) and angle of a hand-held camera."""
    rng = np.random.default_rng([recipe.seed, 77])
    t = np.arange(count) / recipe.fps
    if recipe.wobble == "waves":
        freq, phase = rng.uniform(1, 6, (4, 3)), rng.uniform(0, 2 * np.pi, (4, 3))
        path = (np.sin(2 * np.pi * freq[None] * t[:, None, None] + phase) / freq).sum(axis=1)
    else:
        path = rng.normal(size=(count, 3))
        if recipe.wobble == "smooth":
            span = np.exp(-0.5 * (np.arange(-30, 31) / (0.08 * recipe.fps)) ** 2)
            path = _smooth(path, span)
        else:
            keep = float(np.exp(-1 / (0.25 * recipe.fps)))
            for i in range(1, count):
                path[i] += keep * path[i - 1]
            path = _smooth(path, np.ones(3) / 3)
    path = path / max(float(path[:, :2].std()), 1e-9) * recipe.speed
    path[:, 2] *= rng.choice([0.0, 0.5])
    return np.asarray(path)


def _smooth(path: NDArray[np.float64], span: NDArray[np.float64]) -> NDArray[np.float64]:
    half = len(span) // 2
    return np.stack([np.convolve(p, span)[half : half + len(p)] for p in path.T], axis=1)


def camera_path(recipe: Recipe, count: int) -> NDArray[np.float64]:
    """(T, 4) of the camera at each frame: x, y in frames from the start, scale of the picture, angle."""
    done = progress(recipe, count)
    path = np.zeros((count, 4))
    path[:, 2] = 1.0
    sign = {"pan right": 1, "pan left": -1, "tilt down": 1, "tilt up": -1}.get(recipe.motion, 0)
    if recipe.motion.startswith("pan"):
        path[:, 0] = sign * recipe.speed * (done - done[-1] / 2)
    elif recipe.motion.startswith("tilt"):
        path[:, 1] = sign * recipe.speed * (done - done[-1] / 2)
    elif recipe.motion.startswith("zoom"):
        rate = np.log1p(recipe.speed) * (1 if recipe.motion == "zoom in" else -1)
        path[:, 2] = np.exp(rate * done - max(0.0, rate * done[-1]) * (recipe.motion == "zoom out"))
        path[:, 2] /= path[:, 2].min()
    elif recipe.motion == "roll":
        path[:, 3] = recipe.speed * (1 if recipe.seed % 2 else -1) * (done - done[-1] / 2)
    elif recipe.motion == "handheld":
        path[:, [0, 1, 3]] = wobble_path(recipe, count)
    return path


def _fit_picture(picture: Picture, recipe: Recipe, path: NDArray[np.float64]) -> tuple[Picture, float]:
    """The picture (turned upright for tall clips) and the scale that makes the whole path fit on it."""
    width, height = recipe.size
    if (width > height) != (picture.shape[1] > picture.shape[0]) and recipe.motion != "static":
        picture = np.ascontiguousarray(np.rot90(picture)) if recipe.seed % 3 == 0 else picture
    reach_x = 1.02 + np.ptp(path[:, 0]) + 0.6 * np.abs(np.sin(path[:, 3])).max()
    reach_y = 1.02 + np.ptp(path[:, 1]) + 0.9 * np.abs(np.sin(path[:, 3])).max()
    return picture, max(reach_x * width / picture.shape[1], reach_y * height / picture.shape[0])


def render_clip(recipe: Recipe, pictures: list[Picture]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Frames (T, H, W, 3) uint8 and their times (T,) in seconds."""
    count = max(2, round(recipe.seconds * recipe.fps))
    path = camera_path(recipe, count)
    picture, enlarge = _fit_picture(pictures[recipe.picture % len(pictures)], recipe, path)
    width, height = recipe.size
    rng = np.random.default_rng([recipe.seed, 3])
    middle = np.array([picture.shape[1] / 2, picture.shape[0] / 2])
    middle -= path[:, :2][[0, -1]].mean(axis=0) * 0
    slack = middle - (0.5 + np.abs(path[:, :2]).max(axis=0)) * np.array([width, height]) / enlarge
    middle += np.clip(rng.uniform(-1, 1, 2) * 0.9, -1, 1) * np.maximum(slack, 0)
    if enlarge < 1:
        blur = 0.5 / enlarge
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), max(0.3, 0.6 * blur)), dtype=np.uint8)
    frames = np.empty((count, height, width, 3), np.uint8)
    for i, (x, y, scale, angle) in enumerate(path):
        zoom = enlarge * scale
        shift = np.array([x * width, y * height])
        if recipe.whole_pixels:
            shift = np.round(shift)
        cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        origin = np.array([width, height]) / 2 - shift - turn @ middle
        matrix = np.column_stack([turn, origin])
        frames[i] = cv2.warpAffine(
            picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
    if recipe.thing is not None:
        paste_object(frames, recipe.thing, pictures, recipe.fps)
    if recipe.noise:
        for frame in frames:
            grain = rng.normal(0, recipe.noise, frame.shape[:2])[..., None]
            frame[:] = np.clip(frame + grain, 0, 255)
    return frames, np.arange(count) / recipe.fps


def paste_object(frames: NDArray[np.uint8], thing: ObjectRecipe, pictures: list[Picture], fps: int) -> None:
    """None; draws the object into the frames, moving on its own way."""
    count, height, width = frames.shape[:3]
    side = np.sqrt(thing.share / (np.pi / 4 if thing.ellipse else 1.0))
    w, h = max(8, round(width * side)), max(8, round(height * side))
    source = pictures[thing.picture % len(pictures)]
    cut = min(source.shape[1] / w, source.shape[0] / h)
    cw, ch = int(w * cut), int(h * cut)
    x0, y0 = (source.shape[1] - cw) // 2, (source.shape[0] - ch) // 2
    patch = cv2.resize(source[y0 : y0 + ch, x0 : x0 + cw], (w, h), interpolation=cv2.INTER_AREA)
    alpha = np.ones((h, w), np.float32)
    if thing.ellipse:
        alpha = np.zeros((h, w), np.float32)
        cv2.ellipse(alpha, (w // 2, h // 2), (w // 2 - 2, h // 2 - 2), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    cutout = np.dstack([patch.astype(np.float32), alpha * 255])
    for i in range(count):
        t = i / fps - (count - 1) / fps / 2
        way = np.array(thing.velocity) * t
        if thing.swing:
            way = np.array(thing.velocity) / np.linalg.norm(thing.velocity) * thing.swing * np.sin(np.pi * t)
        x = (thing.middle[0] + way[0]) * width - w / 2
        y = (thing.middle[1] + way[1]) * height - h / 2
        matrix = np.array([[1, 0, x], [0, 1, y]], dtype=np.float64)
        layer = cv2.warpAffine(cutout, matrix, (width, height), flags=cv2.INTER_LINEAR)
        mask = layer[..., 3:] / 255
        frames[i] = (frames[i] * (1 - mask) + layer[..., :3] * mask + 0.5).astype(np.uint8)


def through_codec(
    frames: NDArray[np.uint8], fps: int, crf: int, rate: float = 8.0, side: int = 320
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The frames sent through h264, sampled at `rate` a second and made small: (T, h, w, 3), (T,) seconds."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as out:
        # with more threads x264 does not give the same bytes twice
        options = {"crf": str(crf), "preset": "veryfast", "threads": "1"}
        stream = out.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
    memory.seek(0)
    small, times, due = [], [], 0.0
    with av.open(memory) as video:
        for i, frame in enumerate(video.decode(video=0)):
            if i / fps + 0.25 / fps < due:
                continue
            due += 1 / rate
            small.append(shrink(frame.to_ndarray(format="rgb24"), side))
            times.append(i / fps)
    return np.stack(small), np.array(times)


def shrink(frame: Picture, side: int = 320) -> Picture:
    """The picture with its longer side at most `side` pixels."""
    scale = min(1.0, side / max(frame.shape[:2]))
    size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def made_up_picture(seed: int, size: tuple[int, int] = (900, 600)) -> Picture:
    """A picture without a camera: noise of several scales, a plain sky-like part and some shapes."""
    rng = np.random.default_rng(seed)
    width, height = size
    out = np.zeros((height, width, 3), np.float32) + rng.uniform(60, 190, 3).astype(np.float32)
    for step, strength in ((160, 40), (60, 25), (24, 16), (8, 9), (3, 6)):
        grid = rng.normal(0, strength, (height // step + 2, width // step + 2, 3)).astype(np.float32)
        out += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    sky = int(height * rng.uniform(0.1, 0.4))
    out[:sky] = out[:sky] * 0.15 + np.array([150, 180, 215], np.float32) * 0.85
    for _ in range(40):
        colour = tuple(float(c) for c in rng.uniform(10, 245, 3))
        x, y = int(rng.integers(width)), int(rng.integers(sky, height))
        w, h = (int(v) for v in rng.integers(8, 90, 2))
        if rng.random() < 0.5:
            cv2.rectangle(out, (x, y), (x + w, y + h), colour, -1)
        else:
            cv2.ellipse(out, (x, y), (w // 2 + 2, h // 2 + 2), float(rng.uniform(0, 180)), 0, 360, colour, -1)
    return np.asarray(np.clip(out, 0, 255), dtype=np.uint8)
