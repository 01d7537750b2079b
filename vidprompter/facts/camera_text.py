"""What a text says of the camera, as the words of the scene sheet."""

from __future__ import annotations

import re

SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")

_CAMERA = r"(?:camera|shot|lens|frame|view|footage|filmed|framing|viewpoint|perspective|picture|scene)"
# A movement word counts with one of these in its sentence, since a dog can roll and a ship can pan.
_SPEAKS_OF_CAMERA = re.compile(rf"\b{_CAMERA}s?\b", re.I)
# A movement as the sentence's own subject: "A pan to the left ...", "An upward tilt ...".
_MOVE_AS_SUBJECT = r"^(?:an? |the )?(?:\w+ )?(?:pan|tilt|zoom|roll)s? (?:to|toward|in|out|up|down|across|unfold)\w*\b|^(?:an? |the )?(?:\w+ )?(?:up|down)ward (?:tilt|roll)\b"
_UNMISTAKABLE = re.compile(
    rf"\b(?:camera\w*|zoom\w*|panning|pans|hand-?held|dolly|dollies|tracking shot|(?<!the )pan (?:left|right)|tilt (?:up|down))\b|{_MOVE_AS_SUBJECT}",
    re.I,
)
_STRONG = re.compile(rf"\b(?:camera\w*|shot|lens|footage|filmed)\b|{_MOVE_AS_SUBJECT}", re.I)

_LEFT = r"(?:left|leftwards?|leftward)"
_CAMERA_GOES = r"\bcamera(?:\s+\w+){0,2}?\s+(?:mov(?:es|ing)|glid(?:es|ing)|fl(?:ies|ying)|travel(?:s|ing)|track(?:s|ing)|doll(?:ies|ying)|advanc(?:es|ing))(?:\s+\w+ly)?"
_RIGHT = r"(?:right|rightwards?)"
_GAP = r"(?:[^.!?;,]{0,60}?)"
# "Still" is said of lakes and sitters as well: these count of the camera alone.
_STILL = r"(?:stationary|fixed|motionless|lock(?:ed)?[- ]?off|locked|still|tripod|unmoving|steady(?! (?:pan|zoom|tilt|pace|pull|push)))"
_RESTS = r"(?:not move|n[o']t moving|n't move|never moves|without moving|no (?:camera )?(?:movement|motion))"
_FIELD = r"(?:camera|shot|frame|framing|view|viewpoint|lens|angle|perspective|footage|position|picture)"
_STANDS = (
    rf"\b{_STILL}(?:[\s-]+\w+){{0,2}}?[\s-]+{_FIELD}\b|\bcamera\b[^.!?;]{{0,50}}?\b{_STILL}\b"
    rf"|\b{_FIELD}\b(?:\s+\w+)?,?\s+(?:is|are|was|stays?|remains?|holds?|keeps?|kept|sits?)\b[^.!?;]{{0,30}}?\b{_STILL}\b"
    rf"|\b{_FIELD}\b[^.!?;]{{0,60}}?\b{_RESTS}\b|\bno camera (?:movement|motion)\b"
    r"|\b(?:filmed|shot|recorded|tak(?:es|en)|mounted) (?:\w+ )?(?:from|on|with|off) a (?:\w+ )?tripod\b"
)
# Somebody else's camera, and the one that is looked at.
_OTHERS = re.compile(
    r"(?<!filmed )(?<!shot )(?<!recorded )(?<!captured )(?<!taken )"
    r"\b(?:with|holds?|holding|carr(?:ies|ying)|through|over|behind|us(?:es|ing)|operat(?:es|ing)|rais(?:es|ing))"
    r" (?:an?|his|her|their|its|the)(?: (?!hand|static|stat|fixed|shak|mov|lock|stead|still)\w+){0,2}? camera\b"
    r"(?! (?:pan|tilt|zoom|mov|is|stay|that))"
    r"|\b(?:towards?|at|to|into|fac(?:es|ing)|for|approach(?:es|ing)|from|nearer|closer to|in front of|before|past)"
    r" the (?:camera|viewer|lens)\b(?! (?:pan|tilt|zoom|mov|is|stay))",
    re.I,
)
_NAMES_OF_MOVES = r"(?:zoom|pan|tilt|move|shake)\w*"
_NOT_MOVING = re.compile(
    rf"\b(?:does not|doesn[\u2019']t|never) {_NAMES_OF_MOVES}(?:(?:,| or| nor| and)+ {_NAMES_OF_MOVES})*",
    re.I,
)
_UNMOVED = re.compile(rf"\b(?:without|no) {_NAMES_OF_MOVES}(?:(?:,| or| nor| and)+ {_NAMES_OF_MOVES})*", re.I)
_ACROSS = re.compile(r"\bfrom (?:the )?(?:left|right) (?=to )", re.I)
_MOVEMENTS: tuple[tuple[str, str], ...] = (
    # ruff: noqa: E501
    ("pan left", rf"\bcamera(?:\s+\w+){{0,2}}?\s+(?:mov(?:es|ing)|track(?:s|ing)|truck(?:s|ing)|travel(?:s|l?ing)|shift(?:s|ing)|fl(?:ies|ying))\b{_GAP}\b{_LEFT}\b|\b(?:pan(?:s|ned|ning)?|sweep(?:s|ing)?|turn(?:s|ing)?|swing(?:s|ing)?|glid(?:es|ing)|slid(?:es|ing)|drift(?:s|ing)?)\b{_GAP}\b{_LEFT}\b|\bleftward (?:pan|sweep|turn)|\bleft pan\b"),
    ("pan right", rf"\bcamera(?:\s+\w+){{0,2}}?\s+(?:mov(?:es|ing)|track(?:s|ing)|truck(?:s|ing)|travel(?:s|l?ing)|shift(?:s|ing)|fl(?:ies|ying))\b{_GAP}\b{_RIGHT}\b|\b(?:pan(?:s|ned|ning)?|sweep(?:s|ing)?|turn(?:s|ing)?|swing(?:s|ing)?|glid(?:es|ing)|slid(?:es|ing)|drift(?:s|ing)?)\b{_GAP}\b{_RIGHT}\b|\brightward (?:pan|sweep|turn)|\bright pan\b"),
    ("tilt up", rf"\btilt(?:s|ed|ing)?\b{_GAP}\b(?:up|upwards?|skywards?)\b|\bupward tilt\b|\bcamera (?:rises|lifts)|{_CAMERA_GOES} (?:up|upwards?)\b"),
    ("tilt down", rf"\btilt(?:s|ed|ing)?\b{_GAP}\b(?:down|downwards?)\b|\bdownward tilt\b|\bcamera (?:descends|lowers)|{_CAMERA_GOES} (?:down|downwards?)\b"),
    ("zoom in", rf"{_CAMERA_GOES} (?:forwards?|inwards?)\b|\bzoom(?:s|ed|ing)?(?:\s+\w+ly)?(?:\s+|-)(?:in|closer)\b|\bpush(?:es|ing)? in\b|\b(?:moves?|moving|closes|closing|draws?|drawing|creeps?|eases?) (?:slowly |steadily |gently |gradually )?(?:closer|in)\b|\bpush(?:es|ing)? (?:slowly |gently )?forward\b|\bdoll(?:y|ies) in\b|\bpush-in\b"),
    ("zoom out", rf"{_CAMERA_GOES} (?:back|backwards?|outwards?)\b|\bzoom(?:s|ed|ing)?(?:\s+\w+ly)?(?:\s+|-)out\b|\bpull(?:s|ed|ing)? (?:slowly |steadily |gently |gradually )?(?:back|out|away)\b|\bdoll(?:y|ies) out\b|\bwidens? out\b|\bpull-back\b"),
    ("roll", r"\brolls?\b|\brolling\b|\brotat(?:es|ing|ion)\b(?! (?:a)?round (?:the|a|him|her|them|it))|\bdutch\b|\bspins?\b|\bcamera roll\b"),
    ("handheld", r"\bhand-?held\b|\bshak(?:es|y|ing)\b|\bsway(?:s|ing)?\b|\bjitter\w*|\bwobbl\w+|\bunsteady\b"),
    ("static", rf"\bstatic\b|{_STANDS}"),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(pattern, re.I)) for name, pattern in _MOVEMENTS)
_UNDIRECTED = (
    ("pan", re.compile(r"\bpan(?:s|ned|ning)?\b", re.I)),
    ("tilt", re.compile(r"\btilt(?:s|ed|ing)?\b", re.I)),
    ("zoom", re.compile(r"\bzoom\w*", re.I)),
)
_OTHER = re.compile(
    r"\b(?:camera|shot|lens|view)\b[^.!?;]{0,50}\b(?:follow\w*|track\w*|orbit\w*|circl\w*|glid\w*|sweep\w*|mov(?:es|ing)|"
    r"travel\w*|fl(?:ies|ying)|soar\w*|rotat\w*|crane\w*|doll\w+|arc\w*|drift\w*|shift\w*|rises|descends|transition\w*)\b"
    r"|\btracking shot\b|\bdolly\b|\bdrone (?:shot|footage)\b|\bcrane shot\b",
    re.I,
)
_SHOT_SIZES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("extreme wide shot", re.compile(r"\bextreme(?:ly)? (?:wide|long)\b", re.I)),
    ("medium close-up", re.compile(r"\bmedium close-?\s?up\b", re.I)),
    ("close-up", re.compile(r"\b(?<!medium )(?:close-?\s?ups?|macro shot)\b", re.I)),
    ("medium shot", re.compile(r"\b(?:medium|mid)[- ](?:wide |full |long )?shot\b", re.I)),
    ("full shot", re.compile(r"\bfull(?:-body|-length)? shot\b", re.I)),
    ("wide shot", re.compile(r"\b(?<!extreme )(?:wide|long)[- ](?:angle )?(?:shot|view|framing)\b|\bwide-angle\b", re.I)),
)  # fmt: skip


def sentences(text: str) -> list[str]:
    """The sentences of `text`, stripped, in order; abbreviations are not treated."""
    return [part.strip() for part in SENTENCE_END.split(text.strip()) if part.strip()]


def camera_claims(text: str) -> set[str]:
    """The camera movements `text` states.

    Returns the sheet's words ("static", "pan left", ...), plus "pan", "tilt", "zoom" where no direction is
    given, plus "other" for movements the sheet has no word for (tracking, orbit, dolly ...).
    """
    claims: set[str] = set()
    for sentence in sentences(text):
        sentence = _plainly(sentence)
        if not (_SPEAKS_OF_CAMERA.search(sentence) or _UNMISTAKABLE.search(sentence)):
            continue
        claims |= _sentence_claims(sentence)
    return claims


def _plainly(sentence: str) -> str:
    """The sentence without what only looks like a word of the camera's motion."""
    sentence = _ACROSS.sub("", _OTHERS.sub(" ", sentence))
    if re.search(r"\bcamera\b", sentence, re.I):
        sentence = _NOT_MOVING.sub("stays fixed", sentence)
    return _UNMOVED.sub(lambda found: found.group() if "mov" in found.group().lower() else " ", sentence)


def _sentence_claims(sentence: str) -> set[str]:
    # Without the word camera, "the scene is still" or "a rolling view" says nothing of the camera.
    strong = bool(_STRONG.search(sentence))
    found = {name for name, pattern in _COMPILED if pattern.search(sentence)}
    if not strong:
        found &= {"pan left", "pan right", "zoom in", "zoom out", "handheld", "static"}
        # Without the camera, only the field's own words count: things turn and drift to the left too.
        if not re.search(r"\bpan", sentence, re.I):
            found -= {"pan left", "pan right"}
        if not re.search(r"\bzoom", sentence, re.I):
            found -= {"zoom in", "zoom out"}
        if "static" in found and not re.search(
            rf"\bstatic\b[^.]{{0,20}}\b(?:view|frame|framing)\b|\b(?:view|frame|framing)\b[^.]{{0,20}}\bstatic\b|{_STANDS}",
            sentence,
            re.I,
        ):
            found.discard("static")
        if "handheld" in found and not re.search(r"hand-?held", sentence, re.I):
            found.discard("handheld")
    for name, pattern in _UNDIRECTED:
        if pattern.search(sentence) and not any(f.startswith(name + " ") for f in found):
            found.add(name)
    moves = found - {"static", "handheld"}
    if moves and "static" in found and not re.search(r"\bstatic\b", sentence, re.I):
        found.discard("static")  # "the camera pans over a still lake"
    if re.search(_RESTS, sentence, re.I):
        return found
    if strong and _OTHER.search(sentence) and not found - {"static", "handheld"}:
        found.add("other")
    return found


def shot_claims(text: str) -> set[str]:
    """The shot sizes `text` states, as the sheet's words."""
    return {name for name, pattern in _SHOT_SIZES if pattern.search(text)}


def mentions_camera(sentence: str) -> bool:
    """Whether a sentence is about the camera or the size of the shot."""
    if shot_claims(sentence) or camera_claims(sentence):
        return True
    return bool(
        re.search(r"\b(?:camera\w*|lens|(?:the|this|a|an|each|every|single|\w+ing) shot)\b", sentence, re.I)
    )


# A stated movement that a measured one allows. A pan that follows a subject is a tracking pan; any other
# movement word beside a measured static camera is false.
_ALLOWED = {
    "static": {"static"},
    "pan left": {"pan left", "pan", "other"},
    "pan right": {"pan right", "pan", "other"},
    "tilt up": {"tilt up", "tilt", "other"},
    "tilt down": {"tilt down", "tilt", "other"},
    "zoom in": {"zoom in", "zoom", "other"},
    "zoom out": {"zoom out", "zoom", "other"},
    "roll": {"roll", "other"},
    "handheld": {"handheld"},
    "unknown": set(),
    # Two words of what is told, not of the sheet: it moves, but how is unsure; shots with cameras of their own.
    "moving": {"other"},
    "cuts": set(),
}


def states_camera(text: str, told: str) -> bool:
    """Whether `text` states the camera that may be told (a word of `sheet.lines.told_camera`)."""
    if told == "cuts":
        return bool(re.search(r"\bcuts?\b", text, re.I))
    return ("other" if told == "moving" else told) in camera_claims(text)


def camera_contradictions(text: str, measured: str) -> set[str]:
    """The movements `text` states that a camera measured as `measured` (a sheet's word) does not allow.

    With "unknown" every stated movement counts, since nothing vouches for it.
    """
    return camera_claims(text) - _ALLOWED[measured]
