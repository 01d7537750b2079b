"""What kind of words a locked phrase is, so that a sentence can be built around it, by spaCy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from vidprompter.facts.text_facts import noun_kinds, parse
from vidprompter.wording.grammar import has_clause, is_sentence
from vidprompter.wording.noun_frames import BareNoun, bare_noun, is_bare_clause

Kind = Literal[
    "quoted",  # "OPEN 24 HOURS" in quotation marks
    "sentence",  # a whole sentence that can stand alone
    "clause",  # subject and verb, in lower case: "the camera pans left"
    "things",  # a noun phrase that needs nothing: "a red umbrella", "two dogs", "smoke"
    "a_thing",  # a noun phrase that lacks its article: "red umbrella"
    "the_thing",  # the same, of a noun nobody knows the number of: "steampunk zeppelin"
    "none",  # "no people"
    "style",  # "shallow depth of field", "cinematic lighting"
    "a_style",  # "Dutch angle", "soft pastel palette"
    "hour",  # "golden hour"
    "name",  # "Wes Anderson"
    "trigger",  # "ohwx man"
    "doing",  # "walking slowly"
    "done",  # "covered in snow"
    "camera_doing",  # "panning slowly"
    "clip_doing",  # "trending on artstation"
    "filmed",  # "on 35mm film", "in the style of the 1970s"
    "is_filmed",  # "shot on 35mm film"
    "format",  # "8k", "black and white"
    "gear",  # "a handheld camera"
    "bare_gear",  # "handheld camera"
    "genre",  # "a photo of a dog"
    "bare_genre",  # "close-up of a dog"
    "does",  # "walks slowly"
    "camera_does",  # "pans left"
    "do",  # "look at the camera"
    "camera_do",  # "zoom in"
    "place",  # "in the rain at night"
    "with",  # "with a red hat"
    "quality",  # "moody and dark"
    "manner",  # "very gently"
    "tags",  # "masterpiece, best quality"
    "line",  # ends as a sentence does and is none
    "other",
]

_NOUNS = frozenset({"NN", "NNS", "NNP", "NNPS"})
_STYLE_NOUNS = frozenset(
    "lighting light grain depth focus style aesthetic aesthetics look bokeh flare flares motion quality resolution "
    "color colors colour colours palette tone tones effect effects contrast shot angle view film footage rendering render "
    "composition photography photo atmosphere mood exposure blur perspective detail details vignette realism texture "
    "textures framing cinematography animation hdr uhd 4k 8k time-lapse timelapse lapse shadows haze saturation "
    "vibe vibes ambience ambiance art painting grading pixelation anime".split()
)
# Of these there is one: "a Dutch angle", but not "a film grain".
_COUNTED_STYLES = frozenset(
    "angle view effect palette tone composition perspective texture look style flare mood atmosphere aesthetic vibe "
    "ambience ambiance vignette lapse time-lapse timelapse".split()
)
_STYLE_AFTER_PREPOSITION = _STYLE_NOUNS | frozenset(
    "manner black white monochrome lens mm 35mm 16mm 70mm 50mm 85mm camera tripod drone above below close-up "
    "technicolor hd".split()
)
_GENRES = frozenset(
    "photo photograph picture image film clip video footage shot view painting drawing animation rendering render "
    "portrait scene sketch documentary movie".split()
)
# Of these there is one: "an aerial shot", but not "a slow-motion footage".
_COUNTED_GENRES = _GENRES - frozenset("footage rendering animation painting".split())
_FORMATS = frozenset("2k 4k 8k hd uhd hdr monochrome sepia technicolor imax".split()) | {"black and white"}
_GEAR = frozenset("camera lens drone tripod gimbal steadicam camcorder smartphone gopro".split())
_CLIP_VERBS = frozenset("trend feature show depict portray".split())
# Words that begin a noun phrase in other languages and are no English ones.
_FOREIGN = frozenset(
    "un une le les el los las der das ein eine einen il lo gli una uno um uma het een en ett".split()
)
_LOANS = frozenset("café cafés façade naïve fiancé fiancée décor cliché déjà crème piñata jalapeño".split())
_ADVERBS = frozenset(
    "fast slow together apart alone everywhere again and again outside inside nearby".split()
)
_FILMING = frozenset(
    "shoot film record capture photograph render paint draw animate grade edit frame".split()
)
_SEEING = frozenset("see view watch show".split())
_CAMERA_MOVES: dict[Kind, re.Pattern[str]] = {
    "camera_does": re.compile(
        r"(?:\w+ly )?(?:pans|tilts|zooms|dollies|orbits|tracks|rolls|pushes in|pulls back)\b", re.I
    ),
    "camera_doing": re.compile(
        r"(?:\w+ly )?(?:panning|tilting|zooming|dollying|orbiting|tracking|pushing in|pulling back)\b", re.I
    ),
    "camera_do": re.compile(
        r"(?:pan|tilt|zoom|dolly|orbit|push|pull) (?:in|out|up|down|left|right|back|around)\b", re.I
    ),
}
_CAMERA_VERBS = frozenset("pan tilt zoom dolly orbit track truck crane roll".split())
_MASS = frozenset(
    "water smoke snow rain fog mist sand grass hair sky ice fire dust steam food fruit bread furniture clothing "
    "greenery sunlight moonlight daylight darkness mud foam lava gold silver glass wood metal stone moss ivy foliage "
    "vegetation traffic confetti lightning thunder wind air earth soil blood milk coffee tea wine beer cheese rice "
    "meat chocolate butter paper leather silk cotton wool lace denim velvet armor jewelry makeup luggage".split()
)  # fmt: skip
_DETERMINERS = frozenset({"DT", "PRP$", "CD", "PDT", "WDT", "WP$"})


@dataclass(frozen=True)
class Phrase:
    """A locked phrase and its kind."""

    text: str
    kind: Kind


@lru_cache(maxsize=1024)
def kind_of(text: str) -> Kind:
    """The kind of words `text` is."""
    if text[0] in "\"'\u201c\u201e\u00ab\u2018" and text[-1] in "\"'\u201d\u201c\u00bb\u2019":
        return "quoted"
    if any(char.isalpha() and ord(char) > 0x24F for char in text):
        return "other"
    words = text.split()
    if words[0] in _FOREIGN or any(not w.isascii() and w.islower() and w not in _LOANS for w in words):
        return "other"
    if text.lower() in _FORMATS:
        return "format"
    ends = text[-1] in ".!?\u2026"
    doc = parse([text])[0]
    root = next(token for token in doc if token.dep_ == "ROOT")
    if re.match(
        r"(?:next to|in front of|close to|on top of|inside of|outside of|far from|near) ", text, re.I
    ):
        return "place"
    bare = bare_noun(text) if not ends and doc[0].tag_ not in _DETERMINERS else None
    if bare is not None and (kind := _by_bare_noun(text, bare)) is not None:
        return kind
    if not ends and doc[0].lower_.endswith("s") and len(doc) > 2 and is_bare_clause(text):
        return "clause"
    if not ends and len(doc) == 2 and has_clause(root):
        return _two_words(text, root)
    if ends or has_clause(root):
        if not has_clause(root):
            return "line"
        if text[0].isupper() or text[0].isdigit():
            return "sentence"
        return "line" if text[-1] == "?" else "clause"
    if re.search(r"[/:=|<>{}\[\]\\]", text) or text[-1] in ",;:-\u2013\u2014/&(" or text[0] in ",;:)/&":
        return "other"
    if "," in text:
        return "tags" if root.tag_ in _NOUNS or root.tag_.startswith("JJ") else "other"
    return _by_root(text, doc, root)


def _by_bare_noun(text: str, bare: BareNoun) -> Kind | None:
    """The kind of a noun phrase without an article; None where its words, not its form, decide."""
    head = bare.head.lower_
    if re.search(r"[,/:=|<>{}\[\]\\]", text) or any(_is_trigger(word) for word in text.split()):
        return None
    if re.match(r"shot (?!of )", text, re.I) or re.search(r"close-?up", text, re.I):
        return None
    if bare.head.tag_ == "NNS" or head in _GEAR or head == "hour" or text.lower() in _STYLE_NOUNS:
        return None
    if head in _COUNTED_GENRES:
        return "bare_genre"
    if head in _STYLE_NOUNS:
        return "a_style" if head in _COUNTED_STYLES else "style"
    if bare.counted_out:
        return "a_thing"
    if head in _MASS:
        return "things"
    if bare.head.tag_ == "NNP" or text[0].isupper() or " " not in text:
        return None
    return "a_thing" if _is_counted(bare.head) else "the_thing"


def _two_words(text: str, root: Any) -> Kind:
    """Of "snow falls", "god rays" and "color graded", which look alike, what each is."""
    if root.tag_ == "VBD":
        return "is_filmed"
    seen = parse([f"There are {text} here."])[0]
    return "things" if seen[3].tag_ in _NOUNS else "sentence" if text[0].isupper() else "clause"


def _by_root(text: str, doc: Any, root: Any) -> Kind:
    if re.match(r"(?:[\w-]+ ){0,3}close-?ups?\b", text, re.I) and doc[0].tag_ not in _DETERMINERS | {
        "IN",
        "TO",
    }:
        return "bare_genre"
    if len(doc) <= 3 and doc[0].tag_ in ("NN", "NNP", "NNS", "JJ", "VBG", "RB", "VB"):
        # "stop motion" and "panning shot", whatever spaCy makes of them
        last = doc[-1].lower_
        if last in _COUNTED_GENRES or last in _STYLE_NOUNS - _COUNTED_GENRES:
            return "bare_genre" if last in _COUNTED_GENRES else "style"
    for move, pattern in _CAMERA_MOVES.items():
        if pattern.match(text) and doc[-1].lower_ not in ("shot", "camera", "view"):
            return move
    if doc[0].tag_ == "NNS" and len(doc) > 1 and doc[1].tag_ in ("RB", "DT", "PRP$"):
        return "does"  # "walks slowly", "holds a cup", which spaCy takes for nouns
    if doc[0].tag_ not in _DETERMINERS and any(_is_trigger(token.text) for token in doc):
        return "trigger"
    known_noun = len(doc) == 1 and (text.lower() in noun_kinds() or text.lower() in _MASS)
    if root.tag_ in _NOUNS or known_noun:
        return _noun_phrase(text, doc, root)
    if root.lower_ in ("like", "as") and root.i == 0:
        return "manner"
    if root.pos_ == "ADP" or root.tag_ in ("IN", "TO"):
        return _preposition(doc, root)
    if root.tag_ in ("VBG", "VBN", "VBD", "VBZ", "VB", "VBP"):
        return _verb(doc, root)
    if root.tag_.startswith("JJ") and re.search(r"[^\w\s'#-]", text):
        return "other"
    if root.tag_.startswith("JJ"):
        return "quality" if doc[0].tag_ not in _DETERMINERS else "things"
    if root.tag_.startswith("RB") and all(token.tag_.startswith("RB") for token in doc):
        return "manner" if text.endswith("ly") or text.lower() in _ADVERBS else "other"
    return "other"


def _determined(first: Any) -> bool:
    return first.tag_ in _DETERMINERS


def _verb(doc: Any, root: Any) -> Kind:
    lemma = root.lemma_.lower()
    first = doc[0]
    subject = next((child for child in root.children if child.dep_ == "nsubj"), None)
    if root.tag_ == "VBG" and subject is not None:
        # "children playing", "a dog running", "woman smiling", "steam rising"
        if _determined(first) or subject.tag_ == "NNS" or subject.lower_ in _MASS:
            return "things"
        return "a_thing" if _is_counted(subject) else "the_thing"
    if first.tag_ == "VBZ" and len(doc) > 1 and doc[1].tag_ == "VBG" and first.i == root.i:
        return "things"  # "leaves falling"
    if first.tag_ == "VBZ":
        return "camera_does" if lemma in _CAMERA_VERBS else "does"
    if first.tag_ in ("VB", "VBP"):
        return "camera_do" if lemma in _CAMERA_VERBS else "do"
    if root.tag_ == "VBG" and (first.i == root.i or first.tag_.startswith("RB")):
        if lemma in _CAMERA_VERBS:
            return "camera_doing"
        return "clip_doing" if lemma in _CLIP_VERBS else "doing"
    if root.tag_ in ("VBN", "VBD") and (first.i == root.i or first.tag_.startswith("RB")):
        return "is_filmed" if lemma in _FILMING | _SEEING else "done"
    return "other"


def _preposition(doc: Any, root: Any) -> Kind:
    if root.i != 0 or root.lower_ == "of":
        return "other"
    words = {token.lower_ for token in doc}
    if re.search(r"close-?up", doc.text, re.I):
        return "filmed"
    if root.lower_ == "from" or words & _STYLE_AFTER_PREPOSITION:
        return "filmed"
    if root.lower_ in ("with", "without"):
        return "with"
    return "place"


def _noun_phrase(text: str, doc: Any, root: Any) -> Kind:
    first, head = doc[0], root.lower_
    if first.lower_ == "no":
        return "none"
    determined = first.tag_ in _DETERMINERS or any(child.dep_ == "poss" for child in root.children)
    if head == "hour":
        return "hour"
    if head in _GEAR:
        return "gear" if determined else "bare_gear"
    if head in _GENRES and determined:
        return "genre"
    if head in _COUNTED_GENRES:
        return "bare_genre"
    if root.tag_ == "NNS" and determined and root.i == len(doc) - 1 and doc[root.i - 1].tag_ == "NN":
        # "the crowd cheers", where "cheers" was taken for a noun.
        return "clause" if is_sentence(f"Then {text} loudly.") else "things"
    if head in _STYLE_NOUNS or text.lower() in _STYLE_NOUNS:
        return "style"
    if determined or root.tag_ == "NNS" or head in _MASS:
        return "things"
    if root.text[0].isupper() or (root.i < len(doc) - 1 and doc[-1].text[0].isupper()):
        return "name" if text[0].isupper() else "the_thing"
    if _describes(text):
        return "quality"
    if head.endswith("s") and not head.endswith(("ss", "us", "is")):
        return "things"
    return "a_thing" if _is_counted(root) else "the_thing"


def _is_counted(noun: Any) -> bool:
    """Whether there can be one of it: "umbrella", but not "steam"."""
    kind = noun_kinds().get(noun.lemma_.lower()) or noun_kinds().get(noun.lower_)
    return kind is not None and kind.kind in ("artifact", "animal", "person", "plant")


def _describes(text: str) -> bool:
    """Whether a phrase taken for a noun alone turns out an adjective in a sentence: "moody and dark"."""
    doc = parse([f"It looks {text}."])[0]
    looks = doc[1]
    return any(child.dep_ == "acomp" and child.tag_.startswith("JJ") for child in looks.children)


def _is_trigger(word: str) -> bool:
    """Whether a word looks made up as the trigger of a LoRA: "ohwx", "sks", "zwx2", "1girl"."""
    if not re.fullmatch(r"\w+", word):
        return False
    letters = re.sub(r"[^a-z]", "", word.lower())
    if not letters or word.isupper() or re.fullmatch(r"\d+(?:mm|k|p|fps|d|s|th|st|nd|rd|x)", word.lower()):
        return False
    mixed = bool(re.search(r"\d", word)) or bool(re.search(r"[a-z][A-Z]", word))
    return mixed or (len(letters) > 2 and not re.search(r"[aeiouy]", letters)) or word in ("ohwx",)
