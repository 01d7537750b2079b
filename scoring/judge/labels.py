"""Where an answer names its mark, and what it is a mark of: all of the text, or one of the factors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

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
_DECO = r"[ \t*_\"'`#|\])]*(?:\n(?:[\s>#*_]|-{3,}|={3,}|-\s)*)?"
_SEPARATOR = (
    r"(?:(?::|=|\u2013|\u2014|\u2192|\||-)[ \t]*(?!\d(?<=-\d))|\b(?:is|was|of|would be|ist|est|es)\b:?"
    r"|(?:(?<=<score)|(?<=<rating)|(?<=<grade)|(?<=<mark))>)"
)
_LABEL = re.compile(
    rf"(?<![A-Za-z-])(?P<label>{_SCORE})(?![A-Za-z])(?P<all>[ \t]+(?:final|finale|total|totale|globale?|general)\b)?"
    r"(?P<paren>[ \t*_]*[(\[][^)\]\n]{1,40}[)\]])?"
    r"(?P<of>[ \t]+(?:for|of|on|f\u00fcr)[ \t]+(?!\d)[^:\n.!?=|]{1,60}(?=[ \t*_]*(?::|=|\bis\b)))?"
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
    r"\b(?:rate|rated|give|gave|assign|award|earns?|deserves?|receives?|merits?|warrants?|scores?|grade)\b"
    r"[^.!?\n\d]{0,60}?(?=[*_\"']*(?:\d|one\b|two\b|three\b|four\b|five\b|six\b|seven\b|eight\b|nine\b|ten\b|zero\b))",
    re.I,
)
# "Overall, I find it good: 8/10."
_ALL_SAID = re.compile(
    r"\b(?:overall|all in all|in total|in sum|altogether)\b[^.!?\n\d]{0,60}?(?=[*_\"']*\d)", re.I
)
_NEAR = 600  # letters of a line that are looked at
_FACTOR = re.compile(
    r"\b(?:factors?|criteri\w+|aspects?|subjects?|actions?|attributes?|background|setting|weather|camera\w*|shots?|angles?|"
    r"movements?|styles?|stylistic|artistic|photographic|visual\w*|natural\w*|coheren\w+|repetit\w+|redundan\w+|details?|"
    r"sentences?|length|brevity|clarity|structure|lighting|grammar|fluency|composition|sub-?scores?|partial|"
    r"first|second|third|fourth|fifth|sixth|seventh)\b",
    re.I,
)
_WHOLE = re.compile(r"\b(?:it|this|description|caption|text|prompt|overall|answer)\b", re.I)
# Words by which a mark is spoken of without being given.
_NOT_GIVEN = re.compile(
    r"\b(?:perfect|full|maximum|max|minimum|highest|best|lowest|possible|ideal|higher|lower|better|worse|not|never|no|if|"
    r"could|can|cannot|might|may|than|least|most|almost|nearly|below|above|reach\w*|need\w*|demand\w*|ask\w*|claim\w*|"
    r"instruct\w*|request\w*|insist\w*|want\w*|says?|said|told|written|writes?|initial|first|previous|instead|without|"
    r"would have|unlike|range|scale|threshold|average)\b|n['\u2019]t\b",
    re.I,
)
_CONDITION = re.compile(
    r"[ \t*_]*,?[ \t]*(?:(?:only )?(?:if|had|unless|were|provided)\b|at (?:most|least|best)\b|(?:would|could|might|may|"
    r"should)\b|(?:is|was|seems) (?:not|too|un\w+)\b|too (?:high|low)\b)",
    re.I,
)
_FOR_FACTOR = re.compile(r"[ \t*_]*[(,]?[ \t]*(?:for|on|in)[ \t]+(?:the |its )?", re.I)
_ALLOWED = frozenset(
    "the my a an this our its your quality evaluation numeric numerical given assigned description caption video text prompt "
    "so thus therefore hence and judge evaluator".split()
)
_KEY = re.compile(
    r"[{,]\s*['\"]$|<$"
)  # what looks like JSON and is none: {'evidence': ..., 'score'; or a tag
_SENTENCE_END = re.compile(r"[.!?\u3002](?=[\s*_\"')]|$)|[\n;]")
_MARKER = re.compile(r"(?:^|(?<=[\s:]))(?:factor\s*)?\(?\d{1,2}[.)](?=\s)|(?:^|(?<=\s))factor\s*\d", re.I)
_LISTED = re.compile(
    r"^[ \t>]*(?:[-*+\u2022][ \t]+|#{1,6}[ \t]*)?[*_]*(?:factor[ \t]*)?\(?\d{1,2}[.):][ \t]", re.I
)


def found_in(text: str) -> Iterator[Found]:
    """Every number of the text that is named as a mark, placeholders left out."""
    for match in _LABEL.finditer(text):
        yield from _labelled(text, match)
    for match in _BARE_ALL.finditer(text):
        value = value_at(text, match.end())
        ends = value is not None and re.match(r"[ \t*_|.]*(?:$|\n|[-\u2013\u2014(,;])", text[value.end :])
        if value is not None and not value.placeholder and (value.stated or ends):
            yield Found(Rank.OVERALL, value, match.start(), value.end)
    for match in _NOTE.finditer(text):
        value = value_at(text, match.end())
        if value is not None and value.stated:  # "Note: 3 sentences ..." is none
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
    if value is None or value.placeholder:
        return
    before = _before(text, match.start())
    if not separator and before.strip(" \t*_#>|-\u2022"):
        # "I score 10 points for ...": only a label that begins its line needs no mark behind it.
        return
    rank = _rank(text, match, before, separator)
    if _CONDITION.match(text, value.end):
        return
    if rank > Rank.FACTOR and _is_for_factor(text, value.end):
        value = Value(None, value.end, "marks of factors")
    if rank > Rank.QUOTED and _is_quoted(text, match.start(), value.end):
        rank = Rank.QUOTED
    yield Found(rank, value, match.start(), value.end)


def _rank(text: str, match: re.Match[str], before: str, separator: str) -> Rank:
    """What the words around a label make of it."""
    sentence = "" if _KEY.search(before) else _sentence_before(before)
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
    if separator in ("of", "is", "was", "would be"):
        return _said(text, match.start(), match.end(), None)
    cell = before.count("|") > 1
    listed = _LISTED.match(text[(line := _line_start(text, match.start())) : min(match.start(), line + 40)])
    if listed and sentence.strip(" \t*_#>|-0123456789.)"):
        return Rank.FACTOR
    if _NOT_GIVEN.search(" ".join(near[-2:])) or cell or not all(word in _ALLOWED for word in near[-1:]):
        return Rank.FACTOR
    if near and _FACTOR.search(sentence):
        return Rank.FACTOR
    if listed and len(before.split()) > 2:
        return Rank.FACTOR
    return Rank.LABELLED


def _said(text: str, start: int, end: int, value: Value | None) -> Rank:
    """A mark in a sentence: of the whole text, spoken of only, or of a factor."""
    sentence = _sentence_before(_before(text, start)) + text[start:end]
    if _NOT_GIVEN.search(
        re.sub(r"\b(?:score|rating|mark|grade) (?:is|of)\b", "", sentence)
    ) or _FACTOR.search(sentence):
        return Rank.FACTOR
    if value is not None and (_CONDITION.match(text, value.end) or _is_for_factor(text, value.end)):
        return Rank.FACTOR
    if re.search(rf"\b(?:{_ALL})\b", sentence, re.I):
        return Rank.OVERALL
    return Rank.SAID if _WHOLE.search(sentence) or value is None else Rank.FACTOR


def _is_for_factor(text: str, end: int) -> bool:
    """Whether a mark goes on with "for the style"."""
    tail = _FOR_FACTOR.match(text, end)
    return tail is not None and _FACTOR.match(text, tail.end()) is not None


def stands_alone(text: str, found: Found) -> bool:
    """Whether its line holds no words beside a mark."""
    stop = text.find("\n", found.end)
    before = _before(text, found.start)
    return not re.search(r"[^\W_]", before + text[found.end : stop if stop >= 0 else len(text)])


def between_markers(text: str, found: Found) -> bool:
    """Whether a mark stands between numbered points, as that of a factor does."""
    before = [line for line in text[: found.start].splitlines() if _LISTED.match(line)]
    after = [line for line in text[found.end :].splitlines() if _LISTED.match(line)]
    return bool(before) and bool(after)


def after_marker(text: str, found: Found) -> bool:
    """Whether numbered points stand before a mark."""
    return bool(_MARKER.search(text[: found.start]))


def closes(text: str, found: Found) -> bool:
    """Whether nothing but decoration follows a mark."""
    return not re.search(r"[^\W_]", text[found.end :])


def _scale_of(paren: str | None) -> float | None:
    """The scale of "(0-10)", "(out of 5)", "(/100)"; None where it says nothing of one."""
    match = re.search(r"(?:\d\s*(?:-|\u2013|to)|out of|/|max\.?)\s*(\d{1,3})\b", paren or "", re.I)
    return float(match[1]) if match else None


def _before(text: str, at: int) -> str:
    """What stands before a place on its line, the nearest of it."""
    return text[max(_line_start(text, at), at - _NEAR) : at]


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _sentence_before(before: str) -> str:
    """What of a line belongs to the sentence that goes on behind it."""
    ends = [match.end() for match in _SENTENCE_END.finditer(before)]
    return before[ends[-1] :] if ends else before


def _is_quoted(text: str, start: int, end: int) -> bool:
    """Whether a place stands inside quotation marks on its line."""
    stop = text.find("\n", end)
    before, after = _before(text, start), text[end : min(stop if stop >= 0 else len(text), end + _NEAR)]
    for left, right in (
        ("\u201c", "\u201d"),
        ("\u00ab", "\u00bb"),
        ("\u201e", "\u201c"),
        ("\u300c", "\u300d"),
    ):
        if before.count(left) > before.count(right) and right in after + text[end - 1 : end]:
            return True
    # A closing mark may have been taken with the value; one that was never opened belongs to a quotation begun before.
    if (before + text[start:end]).count('"') % 2 == 1 and re.search(r"[^\W_]", after):
        return True
    return before.count('"') % 2 == 1 and '"' in text[start:end] + after
