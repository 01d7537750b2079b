"""The form of prompts: length, repetition, camera and style words, sentences shared between prompts.

    vidprompter caption clips/ --out captions.jsonl && python benchmarks/prompt_form.py captions.jsonl
    vidprompter expand --from benchmarks/data/ideas.txt --json > ideas.json && python benchmarks/prompt_form.py ideas.json

Reads rows with `prompt` (and `short`, for ideas) from JSONL or a JSON list; prints a line per prompt that misses
something and a table of counts, or with --json one object. Ratios are shares of prompts, 0-1.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from vidprompter.facts.camera_text import mentions_camera, sentences
from vidprompter.facts.check import repeated_ngram, words_of
from vidprompter.facts.lexicon import LIGHT_NOUNS, SHOT_WORDS, STYLE_WORDS
from vidprompter.facts.text_facts import kept_words
from vidprompter.tasks import Task
from vidprompter.templates import template


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows that hold a prompt."""
    text = path.read_text(encoding="utf-8").strip()
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return [row for row in rows if row.get("prompt")]


def example_runs(length: int = 6) -> set[tuple[str, ...]]:
    """Word runs of the worked example in the template of task 3."""
    words = words_of(template(Task.SHORT_TO_PROMPT).split("Idea:")[1])
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def measure(row: dict[str, Any], runs: set[tuple[str, ...]]) -> dict[str, bool]:
    """What one prompt keeps."""
    text = row["prompt"]
    words = words_of(text)
    said = set(words)
    found = {
        "four_sentences": len(sentences(text)) >= 4,
        "60_to_220_words": 60 <= len(text.split()) <= 220,
        "no_4gram_three_times": repeated_ngram(text) is None,
        "nothing_of_the_example": not runs & {tuple(words[i : i + 6]) for i in range(len(words) - 5)},
        "camera_or_shot": bool(said & SHOT_WORDS) or mentions_camera(text),
        "style_or_light": bool(said & (STYLE_WORDS | LIGHT_NOUNS)),
    }
    if row.get("short") and row.get("task", "short_to_prompt") == "short_to_prompt":
        found["keeps_60_percent"] = kept_words(text, row["short"]) >= 0.6
    return found


def main() -> None:
    """Measure the rows of a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = read_rows(arguments.rows)
    runs = example_runs()
    results = [measure(row, runs) for row in rows]
    shared = Counter(s for row in rows for s in {" ".join(words_of(p)) for p in sentences(row["prompt"])})
    most = shared.most_common(1)[0] if shared else ("", 0)
    names = list(dict.fromkeys(name for r in results for name in r))
    kept = {
        name: (sum(r.get(name, False) for r in results), sum(name in r for r in results)) for name in names
    }
    repaired = sum(any(f.startswith(("added", "dropped")) for f in row.get("flags") or ()) for row in rows)
    if arguments.json:
        ratios = {name: good / of for name, (good, of) in kept.items()}
        ratios["repaired"] = repaired / max(len(rows), 1)
        print(json.dumps({"ratios": ratios, "prompts": len(rows), "most_shared_sentence": most[1]}))
        return
    for row, result in zip(rows, results, strict=True):
        if missed := [name for name, good in result.items() if not good]:
            print(f"{row.get('path') or row.get('short')}: misses {', '.join(missed)}")
    for name, (good, of) in kept.items():
        print(f"{name:24} {good} of {of}")
    print(f"{'mended':24} {repaired} of {len(rows)}")
    print(f"most shared sentence     in {most[1]} prompts: {most[0]}")


if __name__ == "__main__":
    main()
