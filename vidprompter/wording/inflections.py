"""All forms of an English word, by rules and a table, without a tagger.

The rules are generous: a form that is no word does no harm in a list of what must not be said, a form left out does.
Only where the rules would make one word of two ("flower" is no comparative of "flow", "news" no plural of "new") is
there a table (`vidprompter/data/irregular.tsv`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_VOWELS = "aeiou"
# Words that end in -s and are no plural.
_NO_PLURAL = frozenset(
    "news series species always perhaps this his its yes plus thus chess james mars texas paris lens gas bus pus "
    "christmas canvas atlas pancreas alas bias whereas besides sometimes towards afterwards backwards forwards upwards "
    "downwards does goes has was physics mathematics politics ethics".split()
)
# Nouns in -i, whose plurals look like "axis".
_ENDS_IN_I = frozenset(
    "ski taxi bikini safari kiwi emoji sari yeti alibi zucchini tsunami samurai kimono deli".split()
)
# Words that end in -ing and are no verb's form; undone, they would ban another word.
_NO_ING = frozenset(
    "evening ceiling during morning nothing something anything everything sibling pudding".split()
)
# Words that end in -ed or -en all the same.
_NO_ED = frozenset("seed need weed feed deed speed breed steed greed reed heed hundred sacred naked".split())
# Endings of adjectives from which -ly makes an adverb.
_ADJECTIVE_ENDS = ("ful", "ous", "ive", "al", "ic", "less", "ish", "ant", "ent", "able", "ible", "ed", "y",
                   "id", "ar", "ile", "ure", "ese", "ete", "ique", "ane", "ine", "ute", "ate", "ark", "ose")  # fmt: skip

# Plurals that Greek and Latin left behind. Most words with these endings have none of them, which does no harm.
_LATIN = (("i", "us"), ("ae", "a"), ("a", "um"), ("a", "on"), ("ses", "sis"), ("eaux", "eau"), ("ices", "ix"))
_PREFIXES = ("back", "fore", "flood", "ghost", "in", "inter", "mis", "off", "out", "over", "pre", "re", "sky", "spot",
             "sun", "un", "under", "up", "with")  # fmt: skip


@dataclass(frozen=True)
class _Tables:
    forms: dict[str, frozenset[str]]  # base -> irregular forms
    bases: dict[str, frozenset[str]]  # irregular form -> bases
    same: dict[str, frozenset[str]]  # other spellings
    stems: tuple[tuple[str, str], ...]
    graded: frozenset[str]
    ish: frozenset[str]


@cache
def _tables() -> _Tables:
    forms: dict[str, set[str]] = {}
    bases: dict[str, set[str]] = {}
    same: dict[str, set[str]] = {}
    stems: list[tuple[str, str]] = []
    words: dict[str, set[str]] = {"grade": set(), "ish": set()}
    text = files("vidprompter").joinpath("data/irregular.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        kind, base, rest = line.split("\t")
        if kind == "stem":
            stems += [(base, rest), (rest, base)]
        elif kind == "same":
            same.setdefault(base, set()).add(rest)
            same.setdefault(rest, set()).add(base)
        elif kind in words:
            words[kind] |= set(rest.split())
        else:
            forms.setdefault(base, set()).update(rest.split())
            for form in rest.split():
                bases.setdefault(form, set()).add(base)
    return _Tables(
        {k: frozenset(v) for k, v in forms.items()},
        {k: frozenset(v) for k, v in bases.items()},
        {k: frozenset(v) for k, v in same.items()},
        tuple(stems),
        frozenset(words["grade"]),
        frozenset(words["ish"]),
    )


def fold(text: str) -> str:
    """`text` in lower case, without accents on Latin letters, with plain apostrophes."""
    plain = text.replace("\u2019", "'").replace("\u02bc", "'").casefold()
    if plain.isascii():
        return plain
    out: list[str] = []
    for char in unicodedata.normalize("NFKD", plain):
        # Marks are part of the letter outside Latin ("й" is not "и").
        if unicodedata.combining(char) and out and out[-1].isascii():
            continue
        out.append(char)
    return unicodedata.normalize("NFC", "".join(out))


@cache
def inflections(word: str) -> frozenset[str]:
    """All forms of one word, in lower case, the word itself among them: "ran" gives "run", "runs", "running" ...

    Nouns' plurals, verbs' forms, comparison and adverbs of adjectives, British and American spelling; both ways, from
    the base to its forms and from a form to its base. Possessives are treated where texts are read (`mentions`).
    """
    word = fold(word).strip().removesuffix("'s").removesuffix("'")
    starts = {word} | _respelt(word)
    bases = set().union(*(_bases(start) for start in starts)) | starts
    bases |= set().union(*(_respelt(base) for base in bases))
    forms = set().union(*(_forms(base) for base in bases)) | bases
    forms |= set().union(*(_respelt(form) for form in forms))
    # "leaves" is far more often of a tree than a going away, and "left" far more often a side.
    if "leaf" in bases:
        forms -= {"left", "leaving"}
    return frozenset(form for form in forms if form)


def _respelt(word: str) -> set[str]:
    tables = _tables()
    found = set(tables.same.get(word, ()))
    for one, other in tables.stems:
        if one in word and other not in word:
            found.add(word.replace(one, other))
    if len(word) > 5:
        # realize, realise; analyze, analyse.
        changed = re.sub(
            r"([iy])([sz])(e|ed|es|er|ers|ing|ation|ations)$",
            lambda m: m[1] + {"s": "z", "z": "s"}[m[2]] + m[3],
            word,
        )
        found |= {changed} if changed != word else set()
    return found


def _has_vowel(text: str) -> bool:
    return any(char in "aeiouy" for char in text)


def _doubles(word: str) -> bool:
    """Whether the last letter may be doubled: one vowel letter, then one consonant that is not w, x or y."""
    if len(word) < 3 or word[-1] in "aeiouwxy" or not word[-1].isalpha():
        return False
    before = "q" if word[-4:-2] == "qu" else word[-3]  # "qu" sounds as a consonant
    return word[-2] in _VOWELS and before not in _VOWELS


def _one_syllable(word: str) -> bool:
    return len(re.findall(r"[aeiouy]+", word.removesuffix("e") if len(word) > 3 else word)) <= 1


def _bases(word: str) -> set[str]:
    """Words that `word` may be a form of."""
    tables = _tables()
    found = set(tables.bases.get(word, ()))
    if len(word) > 3 and word not in _NO_PLURAL:
        found |= _without_s(word)
    for plural, singular in _LATIN:
        if len(word) > 4 and word.endswith(plural):
            found.add(word.removesuffix(plural) + singular)
    if word.endswith("men"):
        found.add(word[:-2] + "an")
    if word.endswith("ing") and word not in _NO_ING:
        found |= _unsuffixed(word[:-3])
    if word.endswith("ed") and word not in _NO_ED and (not word.endswith("eed") or len(word) > 5):
        found |= _unsuffixed(word[:-2])
        if word.endswith("ied"):
            found.add(word[:-3] + "y")
    for ending in ("er", "est"):
        if word.endswith(ending):
            stems = _unsuffixed(word[: -len(ending)])
            stems |= {word[: -len(ending) - 1] + "y"} if word.endswith("i" + ending) else set()
            found |= {stem for stem in stems if _is_graded(stem) and stem != word}
    if word.endswith("ly") and len(word) > 4:
        stems = {word[:-2], word[:-1] + "e", word[:-2] + "l"}
        stems |= {word[:-3] + "y"} if word.endswith("ily") else set()
        stems |= {word[:-4]} if word.endswith("ically") else set()
        found |= {stem for stem in stems if _is_adjective(stem)}
    if word.endswith("ish"):
        stems = _unsuffixed(word[:-3])
        found |= stems & tables.ish
    found |= _compound(word, tables.bases)
    return {base for base in found if len(base) > 2 or base in tables.forms}


def _compound(word: str, table: dict[str, frozenset[str]]) -> set[str]:
    """What `table` gives for the end of `word`, with the beginning put back: "overran" as "ran", "bookshelf"."""
    found: set[str] = set()
    for cut in range(2, len(word) - 2):
        head, tail = word[:cut], word[cut:]
        if tail in table and (head in _PREFIXES or (len(tail) > 3 and tail in _compound_nouns())):
            found |= {head + form for form in table[tail]}
    return found


@cache
def _compound_nouns() -> frozenset[str]:
    singular = "child foot goose knife leaf life mouse shelf tooth wife wolf".split()
    return frozenset(singular) | frozenset().union(*(_tables().forms[noun] for noun in singular))


def _without_s(word: str) -> set[str]:
    if (
        not word.endswith("s")
        or word.endswith(("ss", "us"))
        or (word.endswith("is") and word[:-1] not in _ENDS_IN_I)
    ):
        return set()
    found = {word[:-1]}
    if word.endswith("ies"):
        found |= {word[:-3] + "y"} if len(word) > 4 else set()
    elif word.endswith("ves"):
        found |= {base for base in (word[:-3] + "f", word[:-3] + "fe") if base in _tables().forms}
    elif word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        found.add(word[:-2])
        found |= {word[:-3]} if word.endswith(("sses", "zzes")) and _doubles(word[:-3]) else set()
    return found


def _unsuffixed(stem: str) -> set[str]:
    """What stood before -ing, -ed, -er, -est: with a dropped e, a doubled letter taken away."""
    if len(stem) < 2 or not _has_vowel(stem):
        return set()
    found = {stem + "e"}
    # "hoping" is of "hope" alone: "hop" would have doubled.
    if not (_doubles(stem) and _one_syllable(stem)):
        found.add(stem)
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in _VOWELS:
        found |= {stem, stem[:-1]}
        found.discard(stem + "e")
    if stem.endswith("y") and len(stem) > 3:
        found.discard(stem + "e")
    return found


def _is_graded(word: str) -> bool:
    return word in _tables().graded or (len(word) > 3 and word.endswith("y") and word[-2] not in _VOWELS)


def _is_adjective(word: str) -> bool:
    return word in _tables().graded or word.endswith(_ADJECTIVE_ENDS)


def _forms(base: str) -> set[str]:
    """What a base may become."""
    tables = _tables()
    found = set(tables.forms.get(base, ()))
    if len(base) < 2 or not base[-1].isalpha() or not base.isascii():
        return found | {base + "s"}
    found |= _plurals(base) | _compound(base, tables.forms)
    found |= {base.removesuffix(one) + many for many, one in _LATIN if len(base) > 4 and base.endswith(one)}
    for stem in _suffixable(base):
        found |= {stem + "ed", stem + "ing"}
    if base.endswith("e") and not base.endswith(("ee", "oe", "ye")):
        found -= {base + "ing"} - tables.forms.get(base, frozenset())
    if base.endswith("y") and base[-2] not in _VOWELS:
        found = (found | {base[:-1] + "ied", base + "ing"}) - {base + "ed"}
    if base.endswith("ie"):
        found.add(base[:-2] + "ying")
    if _is_graded(base):
        y = base.endswith("y") and base[-2] not in _VOWELS
        for stem in {base[:-1] + "i"} if y else _suffixable(base):
            found |= {stem + "er", stem + "est"}
    if _is_adjective(base):
        found |= _adverbs(base)
    if base in tables.ish:
        found |= {stem + "ish" for stem in _suffixable(base)}
    return found


def _suffixable(base: str) -> set[str]:
    """What -ed, -ing, -er are put to."""
    if base.endswith("e"):
        return {base[:-1]} | ({base} if base.endswith(("ee", "oe", "ye")) else set())
    if base.endswith("c"):
        return {base, base + "k"}
    if base.endswith(("uel", "ial", "iel")):
        return {base, base + "l"}
    if not _doubles(base):
        return {base}
    return {base + base[-1]} if _one_syllable(base) else {base, base + base[-1]}


def _plurals(base: str) -> set[str]:
    if base.endswith("y") and base[-2] not in _VOWELS:
        return {base[:-1] + "ies"}
    if base.endswith(("s", "x", "z", "ch", "sh")):
        return {base + "es"} | ({base + base[-1] + "es"} if _doubles(base) and base[-1] in "sz" else set())
    found = {base + "s"}
    if base.endswith("o"):
        found.add(base + "es")
    if base.endswith("man") and len(base) > 2:
        found.add(base[:-2] + "en")
    return found


def _adverbs(base: str) -> set[str]:
    if base.endswith("y") and base[-2] not in _VOWELS:
        return {base[:-1] + "ily"}
    if base.endswith("le") and base[-3:-2] not in _VOWELS:
        return {base[:-1] + "y"}
    if base.endswith("ic"):
        return {base + "ally", base + "ly"}
    if base.endswith("ll"):
        return {base + "y"}
    return {base + "ly"}
