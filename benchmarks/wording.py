"""Locked phrases, avoided words and a target's limit, counted over outputs of the built-in model.

    python benchmarks/wording.py [--outputs 50] [--seed 0] [--json] [--show]

Draws two prompts for each of `--outputs` pairs of an idea (`data/ideas.txt`) and a locked phrase
(`data/locked_phrases.txt`): one with two avoided words (`data/avoided_words.txt`), one for LTX-Video. What is counted
is told from the texts anew and not by the code that mended them: a locked phrase must stand letter for letter in a
sentence that ends with a mark and in which spaCy finds a verb with a subject, no word may have the spaCy lemma or the
stem of an avoided one, and the text's tokens must be within the limit. An output that is an error counts as a miss.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from vidprompter import VidPrompter
from vidprompter.facts.text_facts import parse
from vidprompter.targets import count_tokens, target
from vidprompter.tasks import Prompt, Request, Task, Wording
from vidprompter.wording import checked, find_mentions

DATA = Path(__file__).parent / "data"
FINITE = {"VBZ", "VBP", "VBD", "MD"}
BATCH = 16


def lines(name: str) -> list[str]:
    """The lines of a data file that are not empty."""
    return [line.strip() for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line.strip()]


def requests(count: int, seed: int, aim: str | None) -> list[Request]:
    """Ideas with a locked phrase each; with avoided words unless they are for a target."""
    ideas, phrases, avoided = (lines(f"{n}.txt") for n in ("ideas", "locked_phrases", "avoided_words"))
    made = []
    for i in range(count):
        locked, words = (
            phrases[i % len(phrases)],
            (avoided[i % len(avoided)], avoided[(7 * i + 3) % len(avoided)]),
        )
        # A phrase both locked and avoided is an error of usage and no matter of counting.
        allowed = tuple(dict.fromkeys(word for word in words if not find_mentions(locked, [word])))
        wording = Wording((locked,), () if aim else allowed, "vdp style" if i % 5 == 0 else "", aim)
        idea = ideas[(i + 11 * (aim is not None)) % len(ideas)]
        made.append(Request(Task.SHORT_TO_PROMPT, short=idea, seed=seed + i, wording=checked(wording)))
    return made


def in_a_sentence(text: str, phrase: str) -> bool:
    """Whether the phrase stands in a sentence with an end mark, a finite verb and its subject."""
    for match in re.finditer(re.escape(phrase), text):
        start = max((m.end() for m in re.finditer(r"[.!?][\"')]*\s+(?=[A-Z\"'])", text) if m.end() <= match.start()),
                    default=0)  # fmt: skip
        rest = re.search(r"[.!?][\"')]*(?=\s|$)", text[max(match.end() - 1, start) :])
        if rest is None:
            continue
        sentence = text[start : max(match.end() - 1, start) + rest.end()]
        doc = parse([sentence])[0]
        verb = any(token.tag_ in FINITE for token in doc)
        if verb and any(token.dep_ in ("nsubj", "nsubjpass", "expl") for token in doc):
            return True
    return False


def says(text: str, avoided: str) -> bool:
    """Whether every word of the avoided phrase is near another in the text, by lemma or by its first letters."""
    words = parse([avoided])[0]
    doc = parse([text])[0]

    def places(word: Any) -> list[int]:
        lemma, low = word.lemma_.lower(), word.lower_
        stem = re.compile(rf"{re.escape(low.removesuffix('e'))}(?:s|es|ed|d|ing|e|er|est|ly|'s)?")
        return [t.i for t in doc if t.lemma_.lower() in (lemma, low) or stem.fullmatch(t.lower_)]

    found = [places(word) for word in words]
    first, rest = found[0], found[1:]
    return any(all(any(abs(i - j) <= 2 for j in other) for other in rest) for i in first)


def measure(request: Request, result: object) -> dict[str, bool]:
    """What one output keeps."""
    wording = request.wording
    if not isinstance(result, Prompt):
        return {"written": False}
    text = result.text
    body = text.removeprefix(f"{wording.prefix}, ") if wording.prefix else text
    kept = {"written": True, "prefix": text.startswith(wording.prefix)}
    kept["locked"] = all(in_a_sentence(body, phrase) for phrase in wording.locked)
    if wording.avoid:
        kept["avoided"] = not any(says(body, word) for word in wording.avoid)
    if wording.target:
        kept["fits"] = count_tokens(wording.target, text).tokens <= target(wording.target).token_limit
    return kept


def main() -> None:
    """Draw and count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--outputs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--show", action="store_true", help="print every text, its sentence with the phrase last"
    )
    arguments = parser.parse_args()
    writer = VidPrompter.load("builtin")
    report: dict[str, Any] = {"outputs": arguments.outputs, "seed": arguments.seed}
    for name, aim in (("avoiding", None), ("for_ltx", "ltx")):
        asked = requests(arguments.outputs, arguments.seed, aim)
        began = perf_counter()
        results = list(writer.generate(asked, batch=BATCH))
        seconds = perf_counter() - began
        rows = [measure(request, result) for request, result in zip(asked, results, strict=True)]
        by_model = sum(isinstance(r, Prompt) and "added:locked" not in r.flags for r in results)
        counts = {
            key: sum(row.get(key, False) for row in rows) for key in dict.fromkeys(k for r in rows for k in r)
        }
        report[name] = counts | {"locked_by_the_model": by_model, "seconds": round(seconds, 1)}
        for request, result, row in zip(asked, results, rows, strict=True):
            if arguments.show or not all(row.values()):
                missed = ", ".join(key for key, good in row.items() if not good) or "nothing"
                said = f"{result.text}\n  {result.flags}" if isinstance(result, Prompt) else repr(result)
                asked_for = f"{request.short!r} {request.wording.fields()}"
                print(f"[{name}: misses {missed}] {asked_for}\n  {said}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(report))
        return
    for name in ("avoiding", "for_ltx"):
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in report[name].items()))


if __name__ == "__main__":
    main()
