"""Sentences that state measured facts: camera, movement, light, colours.

Used twice: to write camera and light into training text (the corpus hardly mentions them), and to mend a
prompt that left a measured camera unsaid. Every sentence names its subject or place, so that the same fact of
two clips does not read the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

_SLOW = {"slow": ("slowly", "gently", "gradually", "at an unhurried pace"),
         "steady": ("smoothly", "steadily", "evenly", "without a pause"),
         "fast": ("quickly", "swiftly", "briskly", "at speed")}  # fmt: skip
_KEEPS = ("keeping {s} in view", "with {s} in frame", "following {s}", "revealing more of {p}", "taking in {p}",
          "past {s}", "across {p}", "as {s} [stays|stay] the center of attention")  # fmt: skip
_HOLDS = ("holding on {s}", "keeping {s} in frame", "framing {s} against {p}", "watching {s}",
          "letting {s} carry the moment", "with {s} as the clear focus", "taking in {s} and {p}")  # fmt: skip
_NEARER = ("toward {s}", "to bring out the details of {s}", "closing in on {s}", "until {s} [fills|fill] more of the frame",
           "drawing attention to {s}")  # fmt: skip
_FARTHER = ("away from {s}", "to reveal more of {p}", "showing {s} within {p}", "opening up {p} around {s}",
            "leaving {s} smaller in the frame")  # fmt: skip

_CAMERA: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "static": (
        ("The camera stays static", "The camera remains still", "The camera is fixed", "The camera does not move",
         "The camera holds a static position", "A static camera records {p}", "A locked-off camera frames {p}",
         "The camera stays motionless", "The camera keeps a fixed viewpoint", "Filmed with a stationary camera, "
         "{p} stays in place"), _HOLDS),
    "pan left": (
        ("The camera pans {m} to the left", "The camera {m} pans left", "A pan to the left unfolds {m}",
         "The camera turns {m} toward the left", "Panning left {m}, the camera moves on"), _KEEPS),
    "pan right": (
        ("The camera pans {m} to the right", "The camera {m} pans right", "A pan to the right unfolds {m}",
         "The camera turns {m} toward the right", "Panning right {m}, the camera moves on"), _KEEPS),
    "tilt up": (
        ("The camera tilts {m} upward", "The camera {m} tilts up", "An upward tilt unfolds {m}",
         "Tilting up {m}, the camera lifts its view"), _KEEPS),
    "tilt down": (
        ("The camera tilts {m} downward", "The camera {m} tilts down", "A downward tilt unfolds {m}",
         "Tilting down {m}, the camera lowers its view"), _KEEPS),
    "zoom in": (
        ("The camera zooms in {m}", "The camera {m} zooms in", "A zoom in tightens the frame {m}",
         "The camera pushes in {m}"), _NEARER),
    "zoom out": (
        ("The camera zooms out {m}", "The camera {m} zooms out", "A zoom out widens the frame {m}",
         "The camera pulls back {m}"), _FARTHER),
    "roll": (
        ("The camera rolls {m} around its axis", "The camera {m} rolls to one side", "A camera roll turns the frame {m}",
         "The camera rotates {m}, tipping the horizon"), _HOLDS),
    "moving": (
        ("The camera moves {m}", "The camera drifts {m}", "The camera {m} shifts its position",
         "The camera travels {m}"), _KEEPS),
    "cuts": (
        ("The camera cuts from one view to the next", "The camera cuts between several views",
         "Cut by cut, the camera shows another view", "From cut to cut, the camera changes its place"), _HOLDS),
    "handheld": (
        ("The handheld camera sways a little", "A handheld camera gives the footage a slight shake",
         "The camera is handheld", "Shot on a handheld camera, the view trembles slightly",
         "Small handheld movements keep the frame alive", "The footage is handheld"), _HOLDS),
}  # fmt: skip

_SHOT = ("in {a}", "framed as {a}", "seen in {a}", "composed as {a}")
_SHOT_ALONE = (
    "{A} frames {s}", "{A} shows {s} against {p}", "The composition is {a} of {s}", "{A} takes in {s}",
    "The view is {a}, with {s} set in {p}", "Framed in {a}, {s} [stands|stand] out from {p}",
)  # fmt: skip

_LIGHT = {
    "dark": ("Darkness surrounds {s}", "The light on {p} is dark and low", "Deep shadow covers {p}",
             "{P} lies mostly in the dark"),
    "dim": ("Dim light falls on {s}", "The light in {p} is dim", "{P} is dimly lit", "Low light softens {s}"),
    "soft": ("Soft light falls on {s}", "Soft, even light covers {p}", "The light on {s} is soft and diffused",
             "{P} is lit softly"),
    "bright": ("Bright light fills {p}", "{S} [is|are] brightly lit", "Bright daylight falls on {s}",
               "The light on {p} is bright and clear"),
}  # fmt: skip
_TONE = {
    "warm": ("with warm tones", "in a warm key", "giving a warm feel", "with a warm cast"),
    "cool": ("with cool tones", "in a cool key", "giving a cool feel", "with a cool cast"),
    "neutral": (
        "with neutral tones",
        "without a strong color cast",
        "in natural tones",
        "with a natural look",
    ),
}
_CONTRAST = {
    "high": ("and strong contrast", "and deep contrast between light and shadow", "and crisp, hard contrast"),
    "medium": ("and balanced contrast", "and moderate contrast", "and natural contrast"),
    "low": ("and gentle contrast", "and low, soft contrast", "and little contrast"),
}
_PALETTE = (
    "The palette around {s} is built on {c}",
    "{C} dominate the frame around {s}",
    "Shades of {c} run through {p}",
    "The colors of {p} lean toward {c}",
    "{C} set the color palette of {p}",
    "Around {s}, the dominant colors are {c}",
)
_PALETTE_ONE = (
    "The palette around {s} is built on {c}", "{C} dominates the frame around {s}",
    "Shades of {c} run through {p}", "The colors of {p} lean toward {c}", "{C} is the main color around {s}",
)  # fmt: skip
_MONOCHROME = ("The picture of {s} is black and white", "{S} [is|are] shown in black and white",
               "{P} is rendered in black and white",
               "The monochrome image reduces {s} to shades of gray")  # fmt: skip
_STYLE = (
    "The footage of {s} has {a} look", "The result is {a} view of {p}", "{S} [is|are] shown in {a} style",
    "{P} is rendered in {a} style", "Around {s}, the style stays {y}", "{A} style runs through {p}",
    "With {s} at its heart, the clip keeps {a} style", "The treatment of {s} is {y}", "The look of {p} is {y}",
    "Everything about {s} feels {y}",
)  # fmt: skip
STYLES = ("realistic", "naturalistic", "cinematic", "documentary", "photorealistic")
# ruff: noqa: E501
_DIRECTION = {
    "moving left": ("[moves|move] from right to left across the frame", "[heads|head] toward the left of the frame",
                    "[travels|travel] to the left", "[moves|move] left through {p}"),
    "moving right": ("[moves|move] from left to right across the frame", "[heads|head] toward the right of the frame",
                     "[travels|travel] to the right", "[moves|move] right through {p}"),
    "moving up": ("[moves|move] upward in the frame", "[rises|rise] through the frame"),
    "moving down": ("[moves|move] downward in the frame", "[sinks|sink] through the frame"),
    "toward the camera": ("[moves|move] toward the camera", "[comes|come] closer to the camera", "[approaches|approach] the viewer"),
    "away from the camera": ("[moves|move] away from the camera", "[recedes|recede] from the viewer", "[heads|head] into the distance"),
    "moving": ("[keeps|keep] moving through {p}", "[stays|stay] in motion", "[moves|move] about within the frame"),
    "still": ("[stays|stay] almost still", "barely [moves|move]", "[remains|remain] in place", "[holds its|hold their] position in {p}"),
}  # fmt: skip


def is_plural(phrase: str) -> bool:
    """Whether a noun phrase takes a plural verb, judged by its last word."""
    last = phrase.rsplit(" ", 1)[-1].lower()
    return last in _IRREGULAR_PLURALS or (last.endswith("s") and not last.endswith(("ss", "us", "is", "as")))


_IRREGULAR_PLURALS = frozenset(
    ["people", "men", "women", "children", "mice", "geese", "feet", "teeth", "sheep"]
)


def article(noun: str) -> str:
    """`noun` with "a" or "an" before it."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


_AGREE = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")


def _fill(pattern: str, subject: str, place: str, **more: str) -> str:
    many = is_plural(subject)
    if place == subject:
        place = "the surroundings"
    pattern = _AGREE.sub(lambda m: m.group(2) if many else m.group(1), pattern)
    cap = {"S": subject[:1].upper() + subject[1:], "P": place[:1].upper() + place[1:]}
    return pattern.format(s=subject, p=place, **cap, **more)


def _pick(rng: Random, patterns: Sequence[str], subject: str, place: str) -> str:
    """One of `patterns`; those that name what is known are preferred to those that name "the scene"."""
    if place == "the scene" and subject not in ("the scene", "the subject"):
        patterns = [p for p in patterns if "{s}" in p or "{S}" in p] or patterns
        patterns = [p for p in patterns if "{p}" not in p and "{P}" not in p] or patterns
    elif subject in ("the scene", "the subject"):
        patterns = [p for p in patterns if "{s}" not in p and "{S}" not in p] or patterns
    return rng.choice(list(patterns))


def _sentence(text: str) -> str:
    text = " ".join(text.split()).replace(" ,", ",").rstrip(" ,.")
    return text[:1].upper() + text[1:] + "."


def camera_sentence(
    rng: Random, motion: str, *, speed: str = "slow", shot: str | None = None, subject: str, place: str
) -> str:
    """One sentence that states the camera's movement, the size of the shot, or both.

    motion: a sheet word, "unknown" for a sentence on the shot alone. speed: "slow", "steady" or "fast".
    subject, place: noun phrases with their article, e.g. "the horse", "the field".

    Raises:
        ValueError: neither a movement nor a shot is known.
    """
    if motion == "unknown":
        if shot is None:
            raise ValueError("neither a movement nor a shot to state")
        a = article(shot)
        return _sentence(
            _fill(_pick(rng, _SHOT_ALONE, subject, place), subject, place, a=a, A=a[0].upper() + a[1:])
        )
    heads, tails = _CAMERA[motion]
    head = _fill(_pick(rng, heads, subject, place), subject, place, m=rng.choice(_SLOW[speed]))
    tail = _fill(_pick(rng, tails, subject, place), subject, place)
    if shot is not None:
        tail += ", " + rng.choice(_SHOT).format(a=article(shot))
    return _sentence(f"{head}, {tail}")


def light_sentence(
    rng: Random, level: str, temperature: str | None, contrast: str | None, *, subject: str, place: str
) -> str:
    """One sentence on the light. level: a sheet word other than "unknown"; the others may be None."""
    text = _fill(_pick(rng, _LIGHT[level], subject, place), subject, place)
    tail = [rng.choice(_TONE[temperature])] if temperature else []
    if contrast:
        tail.append(
            rng.choice(_CONTRAST[contrast])
            if tail
            else rng.choice(_CONTRAST[contrast]).replace("and", "with", 1)
        )
    return _sentence(", ".join([text, " ".join(tail)]) if tail else text)


def palette_sentence(
    rng: Random, colors: tuple[str, ...], *, monochrome: bool, subject: str, place: str
) -> str:
    """One sentence on the colours; `colors` are plain names, the strongest first."""
    if monochrome or not colors:
        return _sentence(_fill(_pick(rng, _MONOCHROME, subject, place), subject, place))
    colors = tuple(dict.fromkeys({"golden": "gold"}.get(c, c) for c in colors))
    joined = colors[0] if len(colors) == 1 else ", ".join(colors[:-1]) + " and " + colors[-1]
    patterns = _PALETTE if len(colors) > 1 else _PALETTE_ONE
    return _sentence(
        _fill(
            _pick(rng, patterns, subject, place), subject, place, c=joined, C=joined[:1].upper() + joined[1:]
        )
    )


def motion_sentence(rng: Random, motion: str, *, subject: str, place: str) -> str:
    """One sentence on how the subject moves; `motion` is a sheet word other than "unknown"."""
    return _sentence(f"{subject} {_fill(_pick(rng, _DIRECTION[motion], subject, place), subject, place)}")


_POSITION = {
    "center": ("{S} [stays|stay] near the center of the frame", "{S} [holds|hold] the middle of the picture",
               "the composition is centered on {s}", "{S} [is|are] placed in the middle of the frame",
               "the eye goes straight to {s} at the center"),
    "left": ("{S} [is|are] placed on the left side of the frame", "{S} [takes|take] up the left part of the picture",
             "the left of the frame belongs to {s}", "{S} [stays|stay] left of center"),
    "right": ("{S} [is|are] placed on the right side of the frame", "{S} [takes|take] up the right part of the picture",
              "the right of the frame belongs to {s}", "{S} [stays|stay] right of center"),
}  # fmt: skip


def position_sentence(rng: Random, position: str, *, subject: str, place: str) -> str:
    """One sentence on where the subject stands; `position` is "left", "center" or "right"."""
    return _sentence(_fill(_pick(rng, _POSITION[position], subject, place), subject, place))


def objects_sentence(rng: Random, things: Sequence[str]) -> str:
    """One sentence that names things not yet named; `things` are noun phrases like "a bow tie", "three bottles"."""
    joined = things[0] if len(things) == 1 else ", ".join(things[:-1]) + " and " + things[-1]
    many = len(things) > 1 or not things[0].startswith(("a ", "an ", "one ", "the "))
    patterns = (
        "{t} [is|are] visible in the frame", "{t} [is|are] part of the scene", "{t} can be seen as well",
        "the frame also holds {t}", "{t} [is|are] in view",
    )  # fmt: skip
    chosen = _AGREE.sub(lambda m: m.group(2) if many else m.group(1), rng.choice(patterns))
    return _sentence(chosen.format(t=joined))


def setting_sentence(rng: Random, setting: str, *, subject: str) -> str:
    """One sentence that names the setting; `setting` is a bare noun like "car interior" or "mountains"."""
    what = f"the {setting}" if is_plural(setting) else article(setting)
    patterns: tuple[str, ...] = ("the setting around {s} is {w}", "behind {s}, the background shows {w}", "{w} forms the backdrop to {s}",
                "the surroundings of {s} are those of {w}")  # fmt: skip
    if is_plural(setting):
        patterns = (
            "behind {s}, the background shows {w}",
            "{w} form the backdrop to {s}",
            "the setting is {w}",
        )
    if subject == "the scene":
        patterns = ("the background shows {w}", "the whole view is of {w}", "the clip takes in {w}")
    return _sentence(rng.choice(patterns).format(s=subject, w=what))


_WHERE = {
    "center": ("near the center of the frame", "in the middle of the picture", "at the heart of the frame",
               "centered in the view"),
    "left": ("on the left of the frame", "toward the left edge of the picture", "left of center"),
    "right": ("on the right of the frame", "toward the right edge of the picture", "right of center"),
}  # fmt: skip
_DOES = {
    "moving": ("[keeps|keep] moving", "[shifts and stirs|shift and stir]", "[is|are] in constant motion",
               "[moves|move] about freely", "never quite [settles|settle]"),
    "still": ("[stays|stay] almost still", "barely [moves|move]", "[remains|remain] in place", "[rests|rest] quietly"),
    "moving left": ("[moves|move] toward the left", "[crosses|cross] from right to left", "[heads|head] left"),
    "moving right": ("[moves|move] toward the right", "[crosses|cross] from left to right", "[heads|head] right"),
    "toward the camera": ("[comes|come] closer to the viewer", "[approaches|approach] step by step"),
    "away from the camera": ("[moves|move] off into the distance", "[recedes|recede] from the viewer"),
    None: ("[can|can] be seen clearly", "[holds|hold] the attention", "[makes|make] the main subject",
           "[stands|stand] out at once"),
}  # fmt: skip
_AROUND = ("against {p}", "with {p} around", "set in {p}", "before {p}")
_OPENINGS = (
    "The clip shows {l}{w}", "{L} [holds|hold] the attention{w}", "The view opens on {l}{w}", "{L} [is|are] at the center of the clip{w}",
    "{L} [appears|appear]{w}", "The scene belongs to {l}{w}",
)  # fmt: skip


def subject_sentence(
    rng: Random,
    subject: str,
    *,
    position: str | None,
    motion: str | None,
    place: str | None,
    beside: str | None,
) -> str:
    """One sentence that puts together what is known of the subject.

    subject: "the person in black"; position, motion: sheet words; place: "the mountains"; beside: "a backpack".
    """
    does = rng.choice(_DOES[motion if motion in _DOES else None])
    does = _AGREE.sub(lambda m: m.group(2) if is_plural(subject.split(" in ")[0]) else m.group(1), does)
    where = rng.choice(_WHERE[position]) if position in _WHERE else ""
    around = rng.choice(_AROUND).format(p=place) if place else ""
    near = (
        rng.choice(("with {b} nearby", "together with {b}", "beside {b}")).format(b=beside) if beside else ""
    )
    if where and rng.random() < 0.5:
        return _sentence(f"{where}, {subject} {does} {near} {around}")
    return _sentence(f"{subject} {does} {where} {near} {around}")


def opening_sentence(rng: Random, lead: str, *, where: str) -> str:
    """A first sentence that names the main thing. lead: "a person in black"; where: " in the street" or ""."""
    pattern = _AGREE.sub(
        lambda m: m.group(2) if is_plural(lead.split(" in ")[0]) else m.group(1), rng.choice(_OPENINGS)
    )
    return _sentence(pattern.format(l=lead, L=lead[:1].upper() + lead[1:], w=where))


def look_sentence(
    rng: Random, style: str, colors: Sequence[str], contrast: str | None, *, monochrome: bool
) -> str:
    """One sentence on style, colours and contrast together."""
    colors = tuple(dict.fromkeys(colors))
    joined = (
        colors[0] if len(colors) == 1 else ", ".join(colors[:-1]) + " and " + colors[-1] if colors else ""
    )
    tones = "black, white and gray" if monochrome or not joined else joined
    with_contrast = f" with {contrast} contrast" if contrast else ""
    patterns = (
        "The look is {y}, built on {c}{k}", "{C} set the tone of {a} picture{k}", "In style the clip is {y}, its palette {c}{k}",
        "The {y} image is colored in {c}{k}", "A palette of {c}{k} gives the footage {a} feel",
    )  # fmt: skip
    fill = {
        "y": style,
        "a": article(style),
        "c": tones,
        "C": tones[:1].upper() + tones[1:],
        "k": with_contrast,
    }
    return _sentence(rng.choice(patterns).format(**fill))


_FOCUS = (
    "From beginning to end the attention stays on {s}", "{S} [carries|carry] the clip from start to finish",
    "Nothing draws the eye away from {s}", "The framing gives {s} the room to be seen clearly",
    "{S} [remains|remain] the clear subject throughout", "Every part of the clip comes back to {s}",
)  # fmt: skip
_FOCUS_PLACE = ("{P} fills the view from beginning to end", "The clip lingers on {p} and its textures",
                "There is time to look around {p}", "The view over {p} is open and unhurried")  # fmt: skip


def focus_sentence(rng: Random, *, subject: str, place: str) -> str:
    """One sentence on what the clip dwells on; true of any clip with that subject or place."""
    generic = subject in ("the scene", "the subject")
    return _sentence(_fill(_pick(rng, _FOCUS_PLACE if generic else _FOCUS, subject, place), subject, place))


def style_sentence(rng: Random, style: str, *, subject: str, place: str) -> str:
    """One sentence on the style."""
    return _sentence(
        _fill(
            _pick(rng, _STYLE, subject, place),
            subject,
            place,
            y=style,
            a=article(style),
            A=article(style).capitalize(),
        )
    )
