"""How far the bound of vidprompter/targets/count.py lies above the tokens that a real tokenizer makes.

    python benchmarks/token_bound.py --texts prompts.jsonl --tokenizer t5=tokenizer.json --tokenizer umt5=other.json

Texts: JSONL rows with `prompt` or `long`, or lines of text. Tokenizers: tokenizer.json files of the hub's models, which
are not part of this repository. Prints one line per tokenizer: the ratio bound / tokens (without what a pipeline
adds), and the texts that have more tokens than the bound says; with --json one object.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from vidprompter.targets.count import upper_bound


def read_texts(path: Path) -> list[str]:
    """The prompts of a file."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if path.suffix != ".jsonl":
        return lines
    rows = [json.loads(line) for line in lines]
    return [text for row in rows if (text := row.get("prompt") or row.get("long"))]


def measure(tokenizer: Any, texts: list[str]) -> dict[str, Any]:
    """Ratios bound / tokens over all texts, and the texts above the bound."""
    counted = [len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]
    pairs = [
        (upper_bound(text) / tokens, text) for text, tokens in zip(texts, counted, strict=True) if tokens
    ]
    ratios = sorted(ratio for ratio, _ in pairs)
    return {
        "texts": len(pairs),
        "tokens_per_word": round(sum(counted) / sum(len(text.split()) for text in texts), 2),
        "least": round(ratios[0], 3),
        "median": round(ratios[len(ratios) // 2], 3),
        "most": round(ratios[-1], 3),
        "above_the_bound": [text for ratio, text in pairs if ratio < 1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--tokenizer", action="append", required=True, metavar="NAME=FILE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    from tokenizers import Tokenizer

    texts, found = read_texts(options.texts), {}
    for name, file in (given.split("=", 1) for given in options.tokenizer):
        tokenizer = Tokenizer.from_file(file)
        tokenizer.no_truncation()
        found[name] = measure(tokenizer, texts)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for name, row in found.items():
        above = row.pop("above_the_bound")
        print(
            f"{name}: {', '.join(f'{key} {value}' for key, value in row.items())}, above the bound: {len(above)}"
        )


if __name__ == "__main__":
    main()
