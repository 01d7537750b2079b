"""Where an answer names its mark, and what it is a mark of: all of the text, or one of the factors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from scoring.judge.context import (
    LISTED,
    NEAR,
    before_of,
    is_quoted,
    line_above,
    line_start,
    sentence_after,
    sentence_before,
)
from scoring.judge.values import Value, value_at


class Rank(IntEnum):
    """How sure it is that a number is the mark of the whole text; the highest that is there counts."""

    FACTOR = 0
    QUOTED = 1
    SAID = 2
    LABELLED = 3
    OVERALL = 4


@dataclass(frozen=True)
class Found:
    """A number that may be the mark. start, end: of it with its label."""

    rank: Rank
    value: Value
    start: int
    end: int


_SCORE = (
    r"score|rating|mark|grade|puntuaci[oó]n|pontua[cç][aã]o|punteggio|punktzahl|bewertung|wertung|оценка|балл|"
    r"评分|評分|得分|总分|總分|分数|分數|打分|スコア|点数|評価|점수|평점"
)
_ALL = (
    r"overall|final(?:ly)?|total|aggregate|global(?:e)?|gesamt\w*|finale|general|итоговая|общая|итого|总体?|總體?|综合|最终|"
    r"総合|合計|종합|총"
)
_DECO = r"[ \t*_\"'`#|\])\u3011]*(?:\n(?:[\s>#*_]|-{3,}|={3,}|-\s)*)?"
_SEPARATOR = (
    r"(?:(?::=|--?>|=>|:|=|\u2013|\u2014|\u2192|\||-)[ \t]*(?!\d(?<=-\d))|\b(?:is|was|of|would be|ist|est|es)\b:?"
    r"|(?:(?<=<score)|(?<=<rating)|(?<=<grade)|(?<=<mark))>)"
)
_LABEL = re.compile(
    rf"(?<![A-Za-z-])(?P<label>{_SCORE})(?![A-Za-z])(?P<all>[ \t]+(?:final|finale|total|totale|globale?|general)\b)?"
    r"(?P<paren>[ \t*_]*[(\[][^)\]\n]{1,40}[)\]])?"
    r"(?P<of>[ \t]+(?:for|of|on|that|which|f\u00fcr)[ \t]+(?!\d)[^:\n.!?=|]{1,60}(?=[ \t*_]*(?::|=|\bis\b)))?"
    rf"(?P<deco>[ \t*_\"'`|]*)(?P<separator>{_SEPARATOR})?{_DECO}",
    re.I,
)
# "Overall: 8/10", "Total | 7": a label without the word score.
_BARE_ALL = re.compile(
    rf"^[ \t>#*_|\-\u2022]*(?:{_ALL})(?:[ \t]+(?:assessment|evaluation|quality|verdict|impression|result|mark))?"
    r"[ \t*_]*(?:[(\[][^)\]\n]{1,30}[)\]])?[ \t*_]*(?:[:=|]|\u2013|\u2014|-)[ \t*_|]*(?:\n\s*)?",
    re.I | re.M,
)
_NOTE = re.compile(r"(?<![^\W_])(?:note|nota|notation)[ \t*_]*(?:finale?|globale?)?[ \t*_]*:[ \t*_]*", re.I)
# "I would rate it 8/10."
_VERB = re.compile(
    r"\b(?:rate|rated|give|gave|assign|award|earns?|deserves?|receives?|merits?|warrants?|scores?|scored|grade|"
    r"(?:this|it|description|caption|text|prompt)(?: is|['\u2019]s))\b"
    r"[^.!?\n\d]{0,60}?(?=[*_\"']*(?:\d|one\b|two\b|three\b|four\b|five\b|six\b|seven\b|eight\b|nine\b|ten\b|zero\b))",
    re.I,
)
# "Overall, I find it good: 8/10."
_ALL_SAID = re.compile(
    r"\b(?:overall|all in all|in total|in sum|altogether)\b[^.!?\n\d]{0,60}?(?=[*_\"']*\d)", re.I
)
_FACTOR = re.compile(
    r"\b(?:factors?|criteri\w+|aspects?|subjects?|actions?|attributes?|background|setting|weather|camera\w*|shots?|angles?|"
    r"movements?|styles?|stylistic|artistic|photographic|visual\w*|natural\w*|coheren\w+|repetit\w+|redundan\w+|details?|"
    r"sentences?|length|brevity|clarity|structure|lighting|grammar|fluency|composition|sub-?scores?|partial|"
    r"first|second|third|fourth|fifth|sixth|seventh)\b",
    re.I,
)
_WHOLE = re.compile(r"\b(?:it|this|description|caption|text|prompt|overall|answer)\b", re.I)
_GIVING = re.compile(
    r"\b(?:i|my|give\w*|gave|assign\w*|award\w*|deserve\w*|merit\w*|earn\w*|warrant\w*|receive\w*|rate\w*|appropriate|"
    r"fair|justified|reasonable|fitting)\b",
    re.I,
)
_NOT_GIVEN = re.compile(
    r"\b(?:perfect|full|maximum|max|minimum|highest|best|lowest|possible|ideal|higher|lower|better|worse|not|never|no|if|"
    r"could|can|cannot|might|may|than|least|most|almost|nearly|(?:below|above)(?=\W*$)|reach\w*|need\w*|demand\w*|ask\w*|claim\w*|"
    r"instruct\w*|request\w*|insist\w*|want\w*|says?|said|told|written|writes?|initial|first|previous|instead|without|"
    r"unlike|range|scale|threshold|average|target|expected|improved|rewritten|better)\b|n['\u2019]t\b"
    r"|(?<!\bi )(?<!\bwe )(?<!\brating )(?<!\bscore )\bwould\b",
    re.I,
)
# What goes on so gives no mark, or not this one.
_CONDITION = re.compile(
    r"[ \t*_]*,?[ \t]*(?:(?:only )?(?:if|had|unless|were|provided)\b|at (?:most|least|best)\b|(?:would|could|might|may|"
    r"should)\b|(?:is|was|seems) (?:not|too|un\w+|what|demanded|asked|required|requested|claimed|written)\b"
    r"|too (?:high|low)\b)",
    re.I,
)
_CORRECTION = re.compile(
    r"[^.!?\n]{0,40}\b(?:(?:adjusted|revised|corrected|changed|reduced|lowered|raised|increased)(?: (?:up|down))? to|minus|"
    r"plus|less)\s+(?:\d|one\b|two\b|three\b|four\b|five\b|six\b|seven\b|eight\b|nine\b)"
    r"|[^.!?\n]{0,20}\bbut (?:i|we) (?:subtract|deduct|take|add|reduce|lower)",
    re.I,
)
_FOR_FACTOR = re.compile(r"[ \t*_]*[(,]?[ \t]*(?:for|on|in)[ \t]+(?:the |its )?", re.I)
# A number that counts something goes on with what it counts: "8 sentences". These words count nothing.
_COUNTS = re.compile(
    r"[ \t]+(?!(?:because|since|as|for|due|given|out|of|and|but|with|the|this|it|its|on|overall|in|based|considering|"
    r"reason\w*|evidence|evaluation|explanation|justification|feedback|summary|comments?|notes?|strengths|confidence|which|"
    r"while|although|though|i|we|however|so|where|when|a|an|is|was|seems?|reflects?|indicates?|suggests?|fits?|feels|"
    r"points?|overall|that|thus|hence|therefore)\b)[A-Za-z]",
    re.I,
)
_NESTED = re.compile(r"^(?:[ ]{2,}|\t+)[-*+\u2022][ \t]")
_NUMBERED = re.compile(r"[\s*_\"'(]*\d{1,2}[.)]\s+\S")
_ALLOWED = frozenset(
    "the my a an this our its your quality evaluation numeric numerical given assigned description caption video text prompt "
    "so thus therefore hence and judge evaluator".split()
)
_KEY = re.compile(
    r"[{,]\s*['\"]$|<$"
)  # what looks like JSON and is none: {'evidence': ..., 'score'; or a tag


def found_in(text: str) -> Iterator[Found]:
    """Every number of the text that is named as a mark, placeholders left out."""
    for match in _LABEL.finditer(text):
        yield from _labelled(text, match)
    for match in _BARE_ALL.finditer(text):
        value = value_at(text, match.end())
        ends = value is not None and re.match(r"[ \t*_|.]*(?:$|\n|[-\u2013\u2014(,;])", text[value.end :])
        if value is not None and not value.placeholder and (value.stated or ends):
            yield Found(Rank.OVERALL, _checked(text, value), match.start(), value.end)
    for match in _NOTE.finditer(text):
        value = value_at(text, match.end())
        # "Note: 3 sentences ..." is none
        if value is not None and (value.stated or re.search(r"final|global", match.group(0), re.I)):
            yield Found(Rank.LABELLED, value, match.start(), value.end)
    for match in _VERB.finditer(text):
        value = value_at(text, match.end())
        if value is not None and value.stated:
            yield Found(_said(text, match.start(), match.end(), value), value, match.start(), value.end)
    for match in _ALL_SAID.finditer(text):
        value = value_at(text, match.end())
        if value is not None and value.stated:
            yield Found(_said(text, match.start(), match.end(), value), value, match.start(), value.end)


def _labelled(text: str, match: re.Match[str]) -> Iterator[Found]:
    separator = (match["separator"] or "").strip().lower()
    start = match.end()
    if not separator and "|" in match["deco"]:
        separator = "|"
    value = value_at(text, start, _scale_of(match["paren"]))
    if value is None or value.placeholder or _CONDITION.match(text, value.end):
        return
    before = before_of(text, match.start())
    if not separator and not _begins_line(before):
        # "I score 10 points for ...": only a label that begins its line needs no mark behind it.
        return
    if _begins_list(text, start, value.end, "\n" in match.group(0)):
        value = Value(None, value.end, "a numbered list")
    rank = _rank(text, match, before, separator)
    if rank > Rank.QUOTED and is_quoted(text, match.start(), value.end):
        rank = Rank.QUOTED
    yield Found(rank, _checked(text, value) if rank > Rank.FACTOR else value, match.start(), value.end)


def _begins_line(before: str) -> bool:
    """Whether a label has nothing before it but decoration and words such as "final"."""
    words = re.findall(r"[^\W_]+", before.lower())
    decorated = not re.sub(r"[\w \t*_#>|\-\u2022\[\u3010]", "", before)
    return decorated and all(word in _ALLOWED or re.fullmatch(_ALL, word) for word in words)


def _begins_list(text: str, start: int, end: int, below: bool) -> bool:
    """Whether a number is that of the first point of a list. below: it stands on a line under its label."""
    if not _NUMBERED.match(text[start : end + 3]):
        return False
    return below or re.search(r"(?:^|[\s,;])2[.)]\s", text[end : end + 4 * NEAR]) is not None


def _checked(text: str, value: Value) -> Value:
    """The value, or why what stands behind it makes it none."""
    if value.score is None:
        return value
    if _is_for_factor(text, value.end):
        return replace(value, score=None, reason="marks of factors")
    if _CORRECTION.match(text, value.end):
        return replace(value, score=None, reason="a mark that is taken back at once")
    # The blanks behind a number belong to its end already.
    if not value.stated and text[value.end - 1] in " \t" and _COUNTS.match(text, value.end - 1):
        return replace(value, score=None, reason="a number that counts something")
    return value


def _rank(text: str, match: re.Match[str], before: str, separator: str) -> Rank:
    """What the words around a label make of it."""
    sentence = "" if _KEY.search(before) else sentence_before(before)
    near = [word.lower() for word in re.findall(r"[^\W\d_]+(?:[-'][^\W\d_]+)*", sentence)][-4:]
    paren, of = match["paren"] or "", match["of"] or ""
    if (of and (_FACTOR.search(of) or not _WHOLE.search(of))) or (
        paren and not re.search(r"\d|/|out of|max", paren)
    ):
        return Rank.FACTOR
    at = max((n for n, word in enumerate(near) if re.fullmatch(_ALL, word)), default=-1)
    if match["all"]:
        return Rank.OVERALL
    if (at >= 0 and at >= len(near) - 3) or re.search(rf"(?:{_ALL})\s*$", sentence, re.I):
        spoken_of = _NOT_GIVEN.search(sentence if separator == "of" else " ".join(near))
        of_factor = at >= 0 and _FACTOR.search(" ".join(near[at + 1 :]))  # "overall camera score"
        return Rank.FACTOR if spoken_of or of_factor else Rank.OVERALL
    if (verb := separator.rstrip(":")) in ("of", "is", "was", "would be"):
        plain = verb != "of" and all(word in _ALLOWED for word in near)
        return _said(text, match.start(), match.end(), None, plain=plain)
    cell = before.count("|") > 1
    if _NESTED.match(before) or _is_heading_of_factor(line_above(text, match.start())):
        return Rank.FACTOR
    listed = LISTED.match(text[(line := line_start(text, match.start())) : min(match.start(), line + 40)])
    if listed and sentence.strip(" \t*_#>|-0123456789.)"):
        return Rank.FACTOR
    if _NOT_GIVEN.search(" ".join(near[-2:])) or cell or not all(word in _ALLOWED for word in near[-1:]):
        return Rank.FACTOR
    if near and _FACTOR.search(sentence):
        return Rank.FACTOR
    if listed and len(before.split()) > 2:
        return Rank.FACTOR
    return Rank.LABELLED


def _said(text: str, start: int, end: int, value: Value | None, plain: bool = False) -> Rank:
    """A mark in a sentence: of the whole text, spoken of only, or of a factor. plain: nothing else is said before it."""
    sentence = sentence_before(before_of(text, start)) + text[start:end]
    told = re.sub(r"\b(?:score|rating|mark|grade) (?:is|of|would be)\b", "", sentence, flags=re.I)
    if _NOT_GIVEN.search(told) or _FACTOR.search(sentence):
        return Rank.FACTOR
    if value is not None and (_CONDITION.match(text, value.end) or _is_for_factor(text, value.end)):
        return Rank.FACTOR
    if re.search(rf"\b(?:{_ALL})\b", sentence, re.I):
        return Rank.OVERALL
    if value is None and not plain:  # "a score of 3" may be of a game
        given = _GIVING.search(sentence + sentence_after(text, end))
        return Rank.SAID if given else Rank.FACTOR
    return Rank.SAID if plain or _WHOLE.search(sentence) else Rank.FACTOR


def _is_for_factor(text: str, end: int) -> bool:
    """Whether a mark goes on with "for the style", or "(style)"."""
    if bracket := re.compile(r"[ \t*_]*[(\[]\s*(?:the )?(?=\w+\s*[)\]])").match(text, end):
        return _FACTOR.match(text, bracket.end()) is not None
    tail = _FOR_FACTOR.match(text, end)
    return tail is not None and _FACTOR.match(text, tail.end()) is not None


def _is_heading_of_factor(line: str) -> bool:
    """Whether a line is the short title of a factor, such as "### Camera" or "**Style:**"."""
    if re.search(r"[:=|/]\W*\d", line):  # it has a mark of its own
        return False
    told = line.strip(" \t*_#>-\u2022:")
    bare = len(told.split()) <= 2 and not re.match(r"[ \t>]*[-+\u2022]", line)
    title = re.match(r"[ \t>]*(?:#|\*\*|__)", line) or line.rstrip(" *_").endswith(":") or bare
    return (
        bool(title)
        and len(told.split()) <= 6
        and not told.endswith((".", "!", "?"))
        and _FACTOR.search(told) is not None
    )


def _scale_of(paren: str | None) -> float | None:
    """The scale of "(0-10)", "(out of 5)", "(/100)"; None where it says nothing of one."""
    match = re.search(r"(?:\d\s*(?:-|\u2013|to)|out of|/|max\.?)\s*(\d{1,3})\b", paren or "", re.I)
    return float(match[1]) if match else None
