"""How often `builtin` puts the right caption first: before captions of other clips, and before its own copy with one
wrong word.

The captions (data/builtin_captions.jsonl) and wrong copies (data/builtin_cases.jsonl) of 13 clips were written and
checked by eye; the half called "held" was written before any score was seen, and its results were not used to choose
rules or numbers. The clips are not part of this repository: bikes, bigbuckbunny and carphone come with
`vidprompter models pull example-clips`, the others are named in benchmarks/README.md. Clips that the folder lacks are
left out, and said.

    python benchmarks/builtin_evaluator.py --clips FOLDER [--workers 2] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
SPLITS = {"dev": "developing", "held": "held out"}
Row = dict[str, str]
Values = Mapping[tuple[str, str], float]


def rows(name: str, clips: Iterable[str]) -> list[Row]:
    """The rows of a data file whose clips are here."""
    here = set(clips)
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [row for line in lines if (row := json.loads(line))["clip"] in here]


def score_all(folder: Path, captions: list[Row], cases: list[Row], workers: int) -> tuple[Values, float]:
    """(clip, text) -> value for all that is compared, and the seconds that took."""
    from scoring.builtin.evaluator import BuiltinEvaluator
    from scoring.names import EvaluatorOptions
    from vidprompter.errors import VidPrompterError
    from vidprompter.tasks import Request, Task

    clips = sorted({row["clip"] for row in captions})
    texts = {clip: [row["caption"] for row in captions] for clip in clips}
    for case in cases:
        texts[case["clip"]] += [case["right"], case["wrong"]]
    began = time.perf_counter()
    evaluator = BuiltinEvaluator(EvaluatorOptions(workers=workers, cache_bytes=0))
    requests = [Request(Task.VIDEO_TO_PROMPT, video=folder / clip) for clip in clips]
    values = {}
    for clip, outcome in zip(clips, evaluator.score(requests, [texts[clip] for clip in clips]), strict=True):
        if isinstance(outcome, VidPrompterError):
            raise outcome
        for one in outcome:
            value = one.value("builtin")
            values[clip, one.text] = -1.0 if value is None else value
    evaluator.close()
    return values, time.perf_counter() - began


def pair_accuracy(values: Values, captions: list[Row]) -> dict[str, int]:
    """Of all pairs of a clip's caption with one of another clip, how many the right one wins on that clip."""
    won = of = 0
    for right in captions:
        for other in captions:
            if other["clip"] != right["clip"]:
                of += 1
                won += values[right["clip"], right["caption"]] > values[right["clip"], other["caption"]]
    return {"won": won, "of": of}


def case_accuracy(values: Values, cases: list[Row]) -> dict[str, dict[str, int]]:
    """For each kind of wrong word, and for all, how many right captions beat their wrong copies."""
    found: dict[str, dict[str, int]] = {}
    for case in cases:
        won = values[case["clip"], case["right"]] > values[case["clip"], case["wrong"]]
        for kind in (case["kind"], "all"):
            count = found.setdefault(kind, {"won": 0, "of": 0})
            count["won"] += won
            count["of"] += 1
    return dict(sorted(found.items()))


def lost(values: Values, cases: list[Row]) -> list[Row]:
    """The cases whose right caption did not win."""
    return [c for c in cases if values[c["clip"], c["right"]] <= values[c["clip"], c["wrong"]]]


def measure(folder: Path, workers: int) -> dict[str, Any]:
    """All numbers, as printed with --json."""
    named = sorted(
        {json.loads(line)["clip"] for line in (DATA / "builtin_captions.jsonl").read_text().splitlines()}
    )
    here = [clip for clip in named if (folder / clip).is_file()]
    if not here:
        raise SystemExit(f"{folder} holds none of {', '.join(named)}")
    captions, cases = rows("builtin_captions.jsonl", here), rows("builtin_cases.jsonl", here)
    values, seconds = score_all(folder, captions, cases, workers)
    splits: dict[str, Any] = {}
    for key, title in SPLITS.items():
        mine = [row for row in cases if row["split"] == key]
        splits[title] = {
            "pairs": pair_accuracy(values, [row for row in captions if row["split"] == key]),
            "cases": case_accuracy(values, mine),
            "lost": lost(values, mine),
        }
    ratios: dict[str, float] = {}
    for title, found in splits.items():
        name = title.replace(" ", "_")
        ratios[f"pairs_{name}"] = found["pairs"]["won"] / max(found["pairs"]["of"], 1)
        for kind, count in found["cases"].items():
            ratios[f"{kind}_{name}"] = count["won"] / count["of"]
    return {
        "clips": here,
        "missing": [clip for clip in named if clip not in here],
        "seconds": round(seconds, 1),
        "texts": len({text for _, text in values}),
        "splits": splits,
        "ratios": {name: round(value, 4) for name, value in ratios.items()},
    }


def shown(result: dict[str, Any]) -> str:
    """The numbers as text."""
    lines = [f"{len(result['clips'])} clips, {result['texts']} texts, {result['seconds']} s"]
    for title, found in result["splits"].items():
        pairs = found["pairs"]
        lines.append(f"{title}: right caption before another clip's {pairs['won']} of {pairs['of']}")
        lines += [
            f"    {kind:<8} {count['won']:>3} of {count['of']}" for kind, count in found["cases"].items()
        ]
        lines += [f"    lost: {case['clip']}, {case['kind']}: {case['wrong'][:90]}" for case in found["lost"]]
    return "\n".join([*lines, *(f"{name:<24} {value}" for name, value in result["ratios"].items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder with the clips")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    # benchmarks/scoring.py, beside this script, would hide the package of that name.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != DATA.parent.resolve()]
    result = measure(options.clips, options.workers)
    if result["missing"]:
        print(f"not here, left out: {', '.join(result['missing'])}", file=sys.stderr)
    print(json.dumps(result, indent=1) if options.json else shown(result))


if __name__ == "__main__":
    main()
