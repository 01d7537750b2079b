"""What the benchmark of scoring works on: a random ViT-B/32, small clips, captions of usual lengths. Same every time."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ARCHITECTURE = "ViT-B-32"
WIDE, HIGH, RATE, SECONDS = 640, 360, 25, 3

_SUBJECTS = (
    "a brown dog",
    "an old man in a grey coat",
    "two children",
    "a woman with an umbrella",
    "a white sailing boat",
    "a red tractor",
    "a street musician",
    "three horses",
    "a cyclist in a yellow jacket",
    "a black cat",
    "a steam train",
    "a young couple",
)
_ACTIONS = (
    "walks slowly along the shore",
    "runs across a wet field",
    "waits beside a stone bridge",
    "turns towards the camera",
    "moves from left to right",
    "stops in front of a wooden door",
    "passes a row of parked cars",
    "climbs a narrow staircase",
)
_PLACES = (
    "On a beach at low tide",
    "In a crowded market square",
    "At the edge of a pine forest",
    "In a narrow street of an old town",
    "On a hill above the sea",
    "In a bright kitchen with large windows",
    "Under a motorway bridge",
    "On a frozen lake",
)
_LIGHTS = (
    "The light is soft and comes from the left.",
    "Warm evening sun lies on everything and casts long shadows.",
    "The sky is overcast and colours look muted.",
    "A single lamp lights the scene from above.",
)
_CAMERAS = (
    "The camera stays still.",
    "The camera pans slowly to the right.",
    "The camera follows at eye level in a medium shot.",
    "A wide shot, taken from a low angle, with a slow push in.",
)
_DETAILS = (
    "Behind, a few people talk and pay no attention.",
    "Leaves drift over the ground and gather against a low wall.",
    "In the background, a row of houses with red roofs fades into light mist.",
    "A small flag moves in the wind, and water drips from a roof.",
    "The ground is wet and reflects the windows of the buildings on the other side.",
    "Two birds cross the frame and disappear.",
)
_STYLES = (
    "Realistic, like documentary footage.",
    "The look is that of a feature film, with shallow depth of field and fine grain.",
    "Clean, sharp and natural colours.",
)


def captions(clip: int) -> list[str]:
    """Five, of about 20, 40, 60, 85 and 110 tokens; no two clips share one."""
    draw = np.random.default_rng(clip)

    def one(parts: tuple[str, ...]) -> str:
        return parts[int(draw.integers(len(parts)))]

    found = []
    for details in (0, 0, 1, 2, 4):
        text = f"{one(_PLACES)}, {one(_SUBJECTS)} {one(_ACTIONS)}, shot {clip + 1}."
        if found:
            text += f" {one(_LIGHTS)} {one(_CAMERAS)}"
        chosen = draw.permutation(len(_DETAILS))[:details]
        text += "".join(f" {_DETAILS[n]}" for n in chosen)
        found.append(f"{text} {one(_STYLES)}" if details else text)
    return found


def write_checkpoint(folder: Path) -> None:
    """A checkpoint of open_clip's own class with random weights, as a folder of the hub."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    torch.manual_seed(0)
    model = open_clip.create_model(ARCHITECTURE, pretrained=None)
    look = open_clip.get_model_preprocess_cfg(model)
    config = {"model_cfg": open_clip.get_model_config(ARCHITECTURE), "preprocess_cfg": look}
    (folder / "open_clip_config.json").write_text(json.dumps(config, default=list))
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")


def write_clips(folder: Path, count: int) -> list[Path]:
    """H.264 files, each of another moving pattern."""
    folder.mkdir(parents=True)
    return [_write_clip(folder / f"{number:03d}.mp4", number) for number in range(count)]


def renamed(clips: list[Path], folder: Path, count: int) -> list[Path]:
    """`count` files with the pictures of `clips`, each of other bytes: none is known by its content."""
    folder.mkdir(parents=True)
    found = []
    for number in range(count):
        path = folder / f"{number:03d}.mp4"
        box = struct.pack(">I4sI", 12, b"free", number)  # players pass over it
        path.write_bytes(clips[number % len(clips)].read_bytes() + box)
        found.append(path)
    return found


def _write_clip(path: Path, seed: int) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDE, HIGH, "yuv420p"
        ground = _pattern(seed)
        for number in range(RATE * SECONDS):
            moved = np.roll(ground, (number * (seed % 3), number * (1 + seed % 5)), (0, 1))[:HIGH, :WIDE]
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(moved), "rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def _pattern(seed: int) -> NDArray[np.uint8]:
    """Coarse blocks with finer ones over them, larger than a frame."""
    draw = np.random.default_rng(seed)
    coarse = np.kron(draw.integers(0, 200, (7, 12, 3)), np.ones((64, 64, 1)))
    fine = np.kron(draw.integers(0, 56, (56, 96, 3)), np.ones((8, 8, 1)))
    return (coarse + fine).astype(np.uint8)
