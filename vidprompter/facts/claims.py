"""Everything a text states that can be compared with a clip: one claim per thing, number, colour, place, camera word.

`things` (text_facts) tells what a short prompt asks for, each noun once. A judge of a text needs every mention: the
second sentence may paint the horse in another colour than the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from vidprompter.facts.camera_text import camera_claims, sentences, shot_claims
from vidprompter.facts.lexicon import (
    ABSTRACT,
    COLORS,
    LIGHT_LEVEL,
    LIGHT_NOUNS,
    LIGHT_TEMPERATURE,
    NUMBERS,
    PLACES,
    SHOT_WORDS,
)
from vidprompter.facts.text_facts import noun_kinds, parse

Kind = Literal["object", "count", "color", "place", "camera", "shot", "light", "motion"]
KINDS: tuple[Kind, ...] = ("object", "count", "color", "place", "camera", "shot", "light", "motion")
SEVERAL = "several"
"""The count of a plural without a number; an exact one is written in digits, "1" also for "a single"."""

# Where WordNet's first sense is not what a camera sees, and common words that its table lacks.
_KIND_OF = {
    "bunny": ("animal", "rabbit"), "bike": ("artifact", "bicycle"), "monitor": ("artifact", "screen"),
    "hoodie": ("artifact", "sweatshirt"), "pullover": ("artifact", "sweater"), "jumper": ("artifact", "sweater"),
    "tuxedo": ("artifact", "suit"), "jockey": ("person", None), "crowd": ("person", "person"),
    "figure": ("person", "person"), "someone": ("person", "person"), "somebody": ("person", "person"),
    "guy": ("person", None), "kid": ("person", "child"), "toddler": ("person", "child"), "table": ("artifact", None),
    "hand": ("part", None), "arm": ("part", None), "face": ("part", None), "hair": ("part", None),
    "pet": ("animal", "animal"), "creature": ("animal", "animal"), "puppy": ("animal", "dog"),
    "kitty": ("animal", "cat"), "tarmac": ("artifact", "road"), "asphalt": ("artifact", "road"),
    "pavement": ("artifact", "road"), "tv": ("artifact", "television"), "phone": ("artifact", None),
    "bus": ("artifact", None), "automobile": ("artifact", "car"), "motorbike": ("artifact", "motorcycle"),
    "plane": ("artifact", "airplane"), "aeroplane": ("artifact", "airplane"), "sofa": ("artifact", "couch"),
    "fog": ("object", None), "mist": ("object", "fog"), "cloud": ("object", None), "sky": ("object", None),
}  # fmt: skip
# What is said of pictures and times, not of things in them.
_NOT_THINGS = (
    ABSTRACT
    | (SHOT_WORDS - {"background", "foreground"})
    | frozenset(
        "footage video clip film movie picture photograph photo image shot scene sequence montage cut transition "
        "documentary animation recording drone screenshot demo software one other another sort lot couple pair group "
        "number row each both first second last next few bit tone gallop traffic rest end start top bottom middle left "
        "right front back center centre direction step view sight attention activity show play work use look way "
        "minute hour year today moment silence language sign detail kind gesture overhead bird's-eye low-angle "
        "black-and-white slow-motion daylight darkness haze dusk dawn glimpse clip's speed pace size height width "
        "length color colour shade hue contrast exposure saturation grain resolution quality lighting illumination "
        "sunlight light moonlight shadow mood calmness stillness".split()
    )
)
# "a row of bottles": the things are bottles, and many.
_GROUPS = frozenset(
    "group row line pair couple number crowd herd flock pack bunch set series stack pile team lot dozen plenty".split()
)
_MANY = frozenset("several many few some numerous various multiple dozens hundreds countless two".split())
_ONE = frozenset("single lone solitary one sole".split())
_NUMBERS = NUMBERS | {"eleven": 11, "twelve": 12, "dozen": 12, "twenty": 20, "both": 2}
_NOT_SAID = frozenset("no without neither nor nothing".split())
_LINKING = frozenset(
    "be look appear seem remain turn become paint stay dress clothe color colour wear".split()
)
_BETWEEN = frozenset(
    "in all and both very mostly mainly entirely bright dark light pale deep painted dressed".split()
)
# Words whose lemma is not wanted, and garments that have no singular.
_PLAIN = {w: w for w in "jeans pants trousers glasses sunglasses shorts clothes scissors".split()} | {
    "people": "person"
}
_FIELD = frozenset("pan tilt zoom dolly lens close up wide roll orbit camera".split())
_CARRIERS = frozenset(
    "sky line background backdrop surface landscape light glow sun shadow sunset haze pattern".split()
)
_NO_PLACES = frozenset("car bus train".split())
# Verbs whose third person the tagger takes for a plural noun.
_VERBS = frozenset(
    "stretch lean wait lie ride fly move walk drive stay run jump stand sit rest climb roll pass cover leave turn look "
    "gaze stare wear hold carry read sign talk speak smile laugh dance race gallop trot graze eat drink sleep swim float "
    "drift glide slide fall rise spin shake wave reach grab grasp pull push hang show fill frame face cross follow track "
    "chase hunt play cook chop pour mix type write paint sing shout crawl creep sneak wander stroll hike march jog sprint "
    "swing bounce kick throw catch sail row park stop start enter exit approach come go appear emerge open close shine "
    "glow wind stretch tower rustle sway bloom grow stroke pet hug kiss hop perch dive soar flap land take begin remain "
    "live work cut shift pan zoom tilt dolly".split()
)
_MOVING = frozenset(
    "walk run gallop drive ride fly jump race dance pass move roll climb swim chase sprint jog march travel cycle "
    "skate ski rush speed hop stretch wave crawl".split()
)
_RESTING = frozenset("sit lie rest sleep park".split())
_TOWARD = re.compile(r"\b(?:towards?|closer to) (?:the )?(?:camera|viewer|lens)\b|\bcomes? closer\b", re.I)
_AWAY = re.compile(r"\baway from (?:the )?(?:camera|viewer|lens)\b", re.I)
_CUTS = re.compile(
    r"\b(?:cuts?(?= (?:to|between|from|away))|montage|several shots|hard cuts?|scene changes?)\b", re.I
)
_MONOCHROME = re.compile(
    r"\b(?:(?:in|is|footage|film|picture|image|video|photo\w*|old) black[- ]and[- ]white|"
    r"black[- ]and[- ]white (?:footage|film|picture|image|video|photo\w*|clip|movie|shot|scene|tones?)|"
    r"monochrome|grayscale|greyscale|sepia)\b",
    re.I,
)
_TIMES = {"night": "dark", "nighttime": "dark", "midnight": "dark", "sunny": "bright", "daylight": "bright"}
MONOCHROME = "black and white picture"


@dataclass(frozen=True)
class Claim:
    """One thing that a text states.

    kind: see `KINDS`. said: the statement in the sheet's words where it has one ("pan left", "3", "several", "white",
    "bottle"). noun: the thing it is said of, singular; "" for the clip as a whole. basic: the noun's basic-level name,
    or itself. noun_kind: "person", "animal", "artifact", ..., "part", "place"; "" where no table knows it. phrase: the
    noun with what stands before it as a compound ("bow tie"). sentence: index. firm: stated outright; an "a" or a
    plural says a number only by the way.
    """

    kind: Kind
    said: str
    noun: str = ""
    basic: str = ""
    noun_kind: str = ""
    phrase: str = ""
    sentence: int = 0
    firm: bool = True


@dataclass(frozen=True)
class Statement:
    """A text taken apart.

    claims: in the order of the text. sentences: as they stand. contents: for each sentence its
    things, singular, without colours, numbers and camera, for comparing meanings.
    """

    text: str
    claims: tuple[Claim, ...]
    sentences: tuple[str, ...]
    contents: tuple[str, ...]

    def of(self, *kinds: Kind) -> tuple[Claim, ...]:
        """The claims of these kinds."""
        return tuple(claim for claim in self.claims if claim.kind in kinds)


def statements(texts: list[str]) -> list[Statement]:
    """Each of `texts` taken apart; all are parsed in one go."""
    parts = [sentences(text) for text in texts]
    docs = iter(parse([part for some in parts for part in some]))
    return [
        _statement(text, some, [next(docs) for _ in some]) for text, some in zip(texts, parts, strict=True)
    ]


def _statement(text: str, parts: list[str], docs: list[Any]) -> Statement:
    claims: list[Claim] = []
    contents = []
    for index, (part, doc) in enumerate(zip(parts, docs, strict=True)):
        claims += _noun_claims(doc, index)
        claims += _loose_colors(doc, index, {claim.said for claim in claims if claim.sentence == index})
        claims += _picture_claims(part, doc, index)
        contents.append(_content(doc))
    return Statement(text, tuple(dict.fromkeys(claims)), tuple(parts), tuple(contents))


def _noun_claims(doc: Any, index: int) -> list[Claim]:
    claims: list[Claim] = []
    for run in noun_runs(doc):
        noun = lemma_of(run.head)
        kind, basic = kind_of(noun)
        about: dict[str, Any] = {
            "noun": noun,
            "basic": basic,
            "noun_kind": kind,
            "phrase": " ".join([*(word.lower_ for word in run.before[-2:]), noun]),
            "sentence": index,
        }
        if run.thing:
            place = (noun in PLACES or kind == "place") and noun not in _NO_PLACES
            claims.append(Claim("place" if place else "object", noun, **about))
            number, firm = count_of(run)
            if number:
                claims.append(Claim("count", number, firm=firm, **about))
        claims += [Claim("color", color, **about) for color in colors_of(run)]
    return claims


@dataclass(frozen=True)
class NounRun:
    """Words of one noun phrase, by their tags alone: the parser's tree changes too easily with a single word.

    tokens: in order, the head last. before: nouns before the head ("bow" of "bow tie"). thing: whether the head could
    be seen; a background or a line only bears colours.
    """

    tokens: tuple[Any, ...]
    head: Any
    before: tuple[Any, ...]
    thing: bool


def noun_runs(doc: Any) -> list[NounRun]:
    """The noun phrases of a spaCy document that name things or bear colours; negated ones are left out."""
    runs: list[NounRun] = []
    for tokens in _stretches(doc):
        nouns = [t for t in tokens if _is_noun(t)]
        # "A grey rabbit stretches": tagged as a plural noun, but it is what the rabbit does.
        while len(nouns) > 1 and (_is_verb_astray(nouns[-1]) or _is_doing(nouns[-1], nouns[-2])):
            nouns.pop()
        if len(nouns) == 1 and _is_verb_astray(nouns[0]) and _is_bare(tokens, nouns[0]):
            nouns = []
        if not nouns:
            continue
        # In "a street film" the street is what could be seen.
        seen = [t for t in nouns if not _is_abstract(t)]
        head = (
            seen[-1]
            if seen and _is_abstract(nouns[-1]) and lemma_of(nouns[-1]) not in _CARRIERS
            else nouns[-1]
        )
        inside = tuple(t for t in tokens if t.i <= head.i)
        if _negated(inside):
            continue
        noun = lemma_of(head)
        thing = not _is_abstract(head)
        before = tuple(
            t
            for t in nouns
            if t.i < head.i and t.lower_ not in COLORS and lemma_of(t) not in _VERBS and not _is_abstract(t)
        )
        if thing or noun in _CARRIERS:
            runs.append(NounRun(inside, head, before, thing))
    return runs


def _stretches(doc: Any) -> list[list[Any]]:
    """Runs of determiners, numbers, adjectives and nouns."""
    out: list[list[Any]] = []
    now: list[Any] = []
    for token in doc:
        colors = token.lower_ == "and" and token.i + 1 < len(doc) and token.i > 0
        joins = colors and doc[token.i - 1].lower_ in COLORS and doc[token.i + 1].lower_ in COLORS
        opens = token.pos_ == "DET" or token.tag_ == "PRP$"
        fits = token.pos_ in ("NUM", "ADJ", "NOUN", "PROPN", "ADV") or token.lower_ in COLORS or joins
        fits = fits or token.text == "-" or (token.tag_ in ("VBN", "VBG") and bool(now))
        if opens or not fits:
            out.append(now)
            now = [token] if opens else []
        else:
            now.append(token)
    return [run for run in [*out, now] if run]


def _is_noun(token: Any) -> bool:
    if token.lower_ in COLORS or token.lower_ in _NUMBERS or not token.is_alpha or len(token) < 2:
        return False
    return (token.pos_ in ("NOUN", "PROPN") or _is_noun_astray(token)) and token.lower_ not in _GROUPS


def _is_noun_astray(token: Any) -> bool:
    """Whether the tagger took a living thing for an adjective: "a kitten walks"."""
    if token.pos_ != "ADJ" or token.i == 0 or token.i + 1 >= len(token.doc):
        return False
    stands = token.nbor(-1).pos_ in ("DET", "NUM", "ADJ") and token.nbor(1).pos_ in ("VERB", "AUX")
    return stands and kind_of(lemma_of(token))[0] in ("person", "animal")


def _is_abstract(token: Any) -> bool:
    noun = lemma_of(token)
    return noun in _NOT_THINGS or token.lower_ in _NOT_THINGS or noun in _FIELD


def _is_bare(tokens: list[Any], noun: Any) -> bool:
    """Whether a noun stands alone, or after the colour of "a man in black walks"."""
    first = tokens[0]
    dressed = first.i > 0 and first.nbor(-1).lower_ == "in"
    return first is noun or (dressed and all(t.lower_ in COLORS for t in tokens if t.i < noun.i))


def _is_doing(token: Any, before: Any) -> bool:
    """Whether a "plural" that no table knows follows a person or an animal: "a rabbit yawns"."""
    unknown = token.lower_.endswith("s") and not kind_of(lemma_of(token))[0]
    return unknown and before.tag_ == "NN" and kind_of(lemma_of(before))[0] in ("person", "animal")


def _is_verb_astray(token: Any) -> bool:
    return token.lower_.endswith("s") and lemma_of(token) in _VERBS


def lemma_of(token: Any) -> str:
    """The singular noun of a token, lower-case."""
    return _PLAIN.get(token.lower_, str(token.lemma_.lower()))


def kind_of(noun: str) -> tuple[str, str]:
    """The kind of a noun ("" where unknown) and its basic-level name (itself where it has no other)."""
    if noun in _KIND_OF:
        kind, basic = _KIND_OF[noun]
        return kind, basic or noun
    known = noun_kinds().get(noun)
    return (known.kind, known.basic or noun) if known else ("", noun)


def count_of(run: NounRun) -> tuple[str, bool]:
    """The number a noun is given: digits or `SEVERAL`, and whether it is stated outright; "" for none."""
    plural = "Plur" in run.head.morph.get("Number") or run.head.lower_ == "people"
    for token in run.tokens[:-1]:
        word = token.lower_
        if word in _NUMBERS:
            return str(_NUMBERS[word]), True
        if word.isdigit() and len(word) < 4:
            return str(int(word)), True
        if word in _ONE:
            return "1", True
        if word in _MANY:
            return SEVERAL, True
    group = _group_before(run)
    if group:
        return ("2", True) if group in ("pair", "couple") else (SEVERAL, True)
    if run.head.lower_ in _PLAIN and run.head.lower_ != "people":
        return "", False
    if plural:
        return SEVERAL, False
    return ("1", False) if run.tokens[0].lower_ in ("a", "an") else ("", False)


def _group_before(run: NounRun) -> str:
    """ "herd" for the cows of "a herd of cows"."""
    doc, at = run.head.doc, run.tokens[0].i
    if at >= 2 and doc[at - 1].lower_ == "of" and doc[at - 2].lemma_.lower() in _GROUPS:
        return str(doc[at - 2].lemma_.lower())
    return ""


def colors_of(run: NounRun) -> list[str]:
    """The colour words said of a noun: before it, after "is", or as "in black" and "painted red"."""
    found = [t.lower_ for t in run.tokens if t.lower_ in COLORS]
    doc, at = run.head.doc, run.head.i + 1
    while at < len(doc) and at <= run.head.i + 6:
        token = doc[at]
        if token.lower_ in COLORS:
            after = doc[at + 1] if at + 1 < len(doc) else None
            bears = after is not None and (
                (_is_noun(after) and not _is_verb_astray(after))
                or (after.pos_ == "ADJ" and after.lower_ not in COLORS)
            )
            if not bears:
                found.append(token.lower_)
        elif not (
            token.lemma_.lower() in _LINKING or token.lower_ in _BETWEEN or token.pos_ in ("ADV", "ADJ")
        ):
            break
        at += 1
    return list(dict.fromkeys(found))[:3]


def _negated(tokens: tuple[Any, ...]) -> bool:
    first = tokens[0]
    before = first.doc[first.i - 1].lower_ if first.i else ""
    return before in _NOT_SAID or any(t.lower_ in _NOT_SAID for t in tokens)


def _loose_colors(doc: Any, index: int, known: set[str]) -> list[Claim]:
    """Colours that no noun of the sentence bears, as "a red one": said of the picture."""
    if _MONOCHROME.search(doc.text):
        known = known | {"black", "white"}
    said = dict.fromkeys(t.lower_ for t in doc if t.lower_ in COLORS)
    return [Claim("color", color, sentence=index) for color in said if color not in known]


def _picture_claims(part: str, doc: Any, index: int) -> list[Claim]:
    """What a sentence says of the camera, the light, the colours of all, and of moving or staying."""
    claims = [Claim("camera", said, sentence=index) for said in sorted(camera_claims(part))]
    if _CUTS.search(part):
        claims.append(Claim("camera", "cuts", sentence=index))
    claims += [Claim("shot", said, sentence=index) for said in sorted(shot_claims(part))]
    if _MONOCHROME.search(part):
        claims.append(Claim("color", MONOCHROME, sentence=index))
    claims += [Claim("light", said, sentence=index) for said in _light(part)]
    camera_verbs = {
        t.i for t in doc if t.dep_ == "nsubj" and t.lemma_.lower() in ("camera", "shot", "view", "lens")
    }
    verbs = {
        t.lemma_.lower() for t in doc if t.pos_ == "VERB" and not any(c.i in camera_verbs for c in t.children)
    }
    if _TOWARD.search(part):
        claims.append(Claim("motion", "toward the camera", sentence=index))
    elif _AWAY.search(part):
        claims.append(Claim("motion", "away from the camera", sentence=index))
    elif verbs & _MOVING:
        claims.append(Claim("motion", "moving", sentence=index))
    elif verbs & _RESTING:
        claims.append(Claim("motion", "still", sentence=index))
    return claims


def _light(part: str) -> list[str]:
    words = re.findall(r"[a-z]+(?:-[a-z]+)*", part.lower())
    said: list[str] = [_TIMES[word] for word in words if word in _TIMES]
    # A dark coat is not a dark clip: level words count beside a word for light.
    for number, word in enumerate(words):
        if word in LIGHT_NOUNS:
            near = words[max(0, number - 4) : number + 5]
            said += [LIGHT_LEVEL[w] for w in near if w in LIGHT_LEVEL]
            said += [LIGHT_TEMPERATURE[w] for w in near if w in LIGHT_TEMPERATURE]
    return sorted(set(said))


def _content(doc: Any) -> str:
    words = [
        word for run in noun_runs(doc) if run.thing for word in (*_lower(run.before), lemma_of(run.head))
    ]
    return " ".join(words)


def _lower(tokens: tuple[Any, ...]) -> list[str]:
    return [str(token.lower_) for token in tokens]
