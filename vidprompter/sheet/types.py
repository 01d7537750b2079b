"""The scene sheet: what was measured in a clip, typed, with a confidence for every fact.

All confidences are in [0, 1]. `unknown` (or None) stands where the confidence is too low to be stated.
Positions and speeds are in fractions of the frame, so that they do not depend on resolution.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Motion = Literal[
    "static", "pan left", "pan right", "tilt up", "tilt down",
    "zoom in", "zoom out", "roll", "handheld", "unknown",
]  # fmt: skip
ShotSize = Literal[
    "extreme wide shot", "wide shot", "full shot", "medium shot", "medium close-up", "close-up", "unknown"
]
Position = Literal["left", "center", "right", "top", "bottom", "unknown"]
ObjectMotion = Literal[
    "still", "moving", "moving left", "moving right", "moving up", "moving down",
    "toward the camera", "away from the camera", "unknown",
]  # fmt: skip
Pace = Literal["still", "slow", "moderate", "fast", "unknown"]

MOTIONS: tuple[str, ...] = get_args(Motion)
SHOT_SIZES: tuple[str, ...] = get_args(ShotSize)


@dataclass(frozen=True)
class CameraMotion:
    """How the camera moves. Pan right: the camera turns right, so the picture moves left.

    speed: fractions of the frame per second (width for pans, height for tilts, relative scale change
    for zooms, turns for roll, root-mean-square jitter for handheld); 0 for static.
    """

    motion: Motion
    speed: float
    confidence: float


@dataclass(frozen=True)
class Shot:
    """One stretch between cuts; `start` and `end` in seconds of the file."""

    start: float
    end: float
    camera: CameraMotion
    size: ShotSize
    size_confidence: float = 0.0


@dataclass(frozen=True)
class ObjectFact:
    """One kind of object. `count` is the usual number visible at once; `motion` is relative to the scene.

    color: a plain colour name, a pair like "black and white", or "unknown".
    area: mean share of the frame covered by one of them, 0-1.
    """

    label: str
    count: int
    confidence: float
    color: str = "unknown"
    color_confidence: float = 0.0
    position: Position = "unknown"
    motion: ObjectMotion = "unknown"
    motion_confidence: float = 0.0
    light: str = "unknown"
    area: float = 0.0


@dataclass(frozen=True)
class LabelFact:
    """A label with its confidence: a scene, a thing seen by the classifier, a kind of light, a contrast."""

    label: str
    confidence: float
    value: float | None = None


@dataclass(frozen=True)
class SceneFact:
    """The setting. `label` is "unknown" where no label is sure enough; `others` are runners-up."""

    label: str
    confidence: float
    others: tuple[LabelFact, ...] = ()


@dataclass(frozen=True)
class ColorFact:
    """One colour of the palette: plain name, sRGB hex, share of the pixels in [0, 1]."""

    name: str
    hex: str
    share: float


@dataclass(frozen=True)
class LightFact:
    """Light of the whole clip.

    label: "dark", "dim", "soft", "bright" or "unknown"; temperature: "warm", "neutral" or "cool";
    mean: mean luminance 0-1.
    """

    label: str
    confidence: float
    temperature: str = "neutral"
    mean: float = 0.0


@dataclass(frozen=True)
class SceneSheet:
    """All that was measured in one clip (or one shot, or one window of it)."""

    path: str
    duration: float
    width: int
    height: int
    fps: float
    camera: CameraMotion
    shots: tuple[Shot, ...]
    objects: tuple[ObjectFact, ...] = ()
    scene: SceneFact = field(default_factory=lambda: SceneFact("unknown", 0.0))
    palette: tuple[ColorFact, ...] = ()
    light: LightFact = field(default_factory=lambda: LightFact("unknown", 0.0))
    contrast: LabelFact = field(default_factory=lambda: LabelFact("unknown", 0.0))
    pace: Pace = "unknown"
    monochrome: bool = False
    sheet_version: int = 1

    @property
    def aspect(self) -> float:
        """Width over height of the displayed picture."""
        return self.width / self.height if self.height else 0.0

    @property
    def longest_shot(self) -> Shot | None:
        """The shot that `camera` was taken from."""
        return max(self.shots, key=lambda s: s.end - s.start, default=None)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict with the documented field names."""
        row = asdict(self)
        row["aspect"] = round(self.aspect, 4)
        return row

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> SceneSheet:
        """The inverse of `to_json`."""
        scene = row["scene"]
        return cls(
            path=row["path"],
            duration=row["duration"],
            width=row["width"],
            height=row["height"],
            fps=row["fps"],
            camera=CameraMotion(**row["camera"]),
            shots=tuple(Shot(**{**s, "camera": CameraMotion(**s["camera"])}) for s in row["shots"]),
            objects=tuple(ObjectFact(**o) for o in row["objects"]),
            scene=SceneFact(
                scene["label"], scene["confidence"], tuple(LabelFact(**o) for o in scene["others"])
            ),
            palette=tuple(ColorFact(**c) for c in row["palette"]),
            light=LightFact(**row["light"]),
            contrast=LabelFact(**row["contrast"]),
            pace=row["pace"],
            monochrome=row["monochrome"],
            sheet_version=row["sheet_version"],
        )
