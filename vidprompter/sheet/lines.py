"""The scene sheet as the few lines of text that the language model reads.

Training text is derived in the same form, so that a measured sheet and a training example look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from vidprompter.sheet.types import ObjectFact, SceneSheet

MIN_OBJECT_CONFIDENCE = 0.5
MIN_SCENE_CONFIDENCE = 0.35
MIN_CAMERA_CONFIDENCE = 0.6
# A still camera is told from here on; of a moving one, from MIN_MOVING on, only that it moves.
MIN_STATIC_CONFIDENCE = 0.5
MIN_MOVING_CONFIDENCE = 0.3
# Of a clip with cuts, the camera of the longest shot is told only if shots that move so fill this share of it.
MIN_CAMERA_SHARE = 0.6
# Words for the camera that the language model never learnt: it is told nothing, and a sentence is added later.
UNTRAINED = frozenset({"unknown", "moving", "cuts"})
# Settings that say nothing to a reader.
_EMPTY_SCENES = frozenset({"unknown", "plain background", "outdoors", "indoors"})
MIN_SHOT_CONFIDENCE = 0.35
MIN_LIGHT_CONFIDENCE = 0.35


@dataclass(frozen=True)
class ObjectLine:
    """One thing: `noun` as it would be said ("horse"), how many, and what is known of it."""

    noun: str
    count: int = 1
    color: str | None = None
    position: str | None = None
    motion: str | None = None

    def render(self) -> str:
        """`2 horses (brown, left, moving right)`; the noun stays singular, the count says how many."""
        about = ", ".join(x for x in (self.color, self.position, self.motion) if x)
        return f"{self.count} {self.noun}" + (f" ({about})" if about else "")


@dataclass(frozen=True)
class SheetLines:
    """What the language model is told of a clip; None or empty where nothing is known."""

    objects: tuple[ObjectLine, ...] = ()
    scene: str | None = None
    camera: str = "unknown"
    speed: str = "slow"
    shot: str | None = None
    light: str | None = None
    temperature: str | None = None
    contrast: str | None = None
    colors: tuple[str, ...] = ()
    monochrome: bool = False

    def render(self) -> str:
        """The lines, unknown facts left out."""
        lines = []
        if self.objects:
            lines.append("objects: " + "; ".join(o.render() for o in self.objects))
        if self.scene:
            lines.append(f"scene: {self.scene}")
        if self.shot:
            lines.append(f"shot: {self.shot}")
        if self.camera not in UNTRAINED:
            pace = "" if self.camera in ("static", "handheld") else f", {self.speed}"
            lines.append(f"camera: {self.camera}{pace}")
        light = [x for x in (self.light, self.temperature) if x]
        if self.contrast:
            light.append(f"{self.contrast} contrast")
        if light:
            lines.append("light: " + ", ".join(light))
        if self.monochrome:
            lines.append("colors: black and white")
        elif self.colors:
            lines.append("colors: " + ", ".join(self.colors))
        return "\n".join(lines)

    @property
    def subject(self) -> str:
        """A noun phrase for the main thing, e.g. "the horse"."""
        if not self.objects:
            return "the scene"
        first = self.objects[0]
        return f"the {plural(first.noun) if first.count > 1 else first.noun}"

    @property
    def place(self) -> str:
        """A noun phrase for the setting, e.g. "the racetrack"."""
        return f"the {self.scene}" if self.scene else "the scene"


def plural(noun: str) -> str:
    """The plural of an English noun, regular rules and the irregulars that detectors know."""
    irregular = {
        "person": "people", "man": "men", "woman": "women", "child": "children", "sheep": "sheep", "mouse": "mice",
        "skis": "skis", "scissors": "scissors", "fish": "fish", "deer": "deer", "knife": "knives", "goose": "geese",
        "foot": "feet", "tooth": "teeth", "leaf": "leaves", "shelf": "shelves", "wolf": "wolves", "loaf": "loaves",
        "aircraft": "aircraft", "jeans": "jeans", "sunglasses": "sunglasses",
    }  # fmt: skip
    head, _, last = noun.rpartition(" ")
    if last in irregular:
        out = irregular[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        out = last + "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        out = last[:-1] + "ies"
    else:
        out = last + "s"
    return f"{head} {out}" if head else out


def speed_word(motion: str, speed: float) -> str:
    """ "slow", "steady" or "fast" for a speed in fractions of the frame per second (turns for a roll)."""
    slow, fast = (0.02, 0.1) if motion == "roll" else (0.06, 0.3)
    return "slow" if speed < slow else "fast" if speed > fast else "steady"


def told_camera(sheet: SceneSheet) -> str:
    """What may be stated of the camera of the whole clip.

    A sheet word where that is sure; "moving" where the camera surely moves, but how is unsure (an orbit, say);
    "cuts" where the shots of a cut clip have cameras of their own; "unknown" otherwise.
    """
    camera = sheet.camera
    lengths = [(shot.end - shot.start, shot.camera) for shot in sheet.shots]
    same = sum(length for length, c in lengths if c.motion in (camera.motion, "unknown"))
    if same < MIN_CAMERA_SHARE * sum(length for length, _ in lengths):
        return "cuts"
    if camera.motion == "static":
        return "static" if camera.confidence >= MIN_STATIC_CONFIDENCE else "unknown"
    if camera.motion == "unknown" or camera.confidence < MIN_MOVING_CONFIDENCE:
        return "unknown"
    return camera.motion if camera.confidence >= MIN_CAMERA_CONFIDENCE else "moving"


def _told_motion(thing: ObjectFact) -> str | None:
    if thing.motion == "unknown" or thing.motion_confidence < 0.5:
        return None
    # A box that rises is more often a person standing up than one who flies.
    return "moving" if thing.motion in ("moving up", "moving down") else thing.motion


def lines_of(sheet: SceneSheet) -> SheetLines:
    """The facts of `sheet` that are sure enough to be told, most telling objects first."""
    # Sure and large things first: of a rider and a horse, the horse.
    sure = sorted(
        (o for o in sheet.objects if o.confidence >= MIN_OBJECT_CONFIDENCE),
        key=lambda o: -o.confidence * (0.3 + min(o.area, 0.5)),
    )[:5]
    objects = tuple(
        ObjectLine(
            noun=o.label,
            count=o.count,
            color=o.color
            if o.color != "unknown" and o.color_confidence >= 0.5 and not sheet.monochrome
            else None,
            position=o.position if o.position in ("left", "right", "center") else None,
            motion=_told_motion(o),
        )
        for o in sure
    )
    camera = told_camera(sheet)
    shot = sheet.longest_shot
    size = (
        shot.size if shot and shot.size != "unknown" and shot.size_confidence >= MIN_SHOT_CONFIDENCE else None
    )
    scene = sheet.scene.label
    light = sheet.light
    lit = light.label != "unknown" and light.confidence >= MIN_LIGHT_CONFIDENCE
    sure_contrast = sheet.contrast.label in ("low", "medium", "high") and sheet.contrast.confidence >= 0.35
    return SheetLines(
        objects=objects,
        scene=scene
        if scene not in _EMPTY_SCENES and sheet.scene.confidence >= MIN_SCENE_CONFIDENCE
        else None,
        camera=camera,
        speed=speed_word(camera, sheet.camera.speed),
        shot=size,
        light=light.label if lit else None,
        temperature=light.temperature if lit else None,
        contrast=sheet.contrast.label if sure_contrast else None,
        colors=tuple(dict.fromkeys(c.name for c in sheet.palette if c.share >= 0.1))[:4],
        monochrome=sheet.monochrome,
    )
