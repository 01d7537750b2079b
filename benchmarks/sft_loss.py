"""Loss of the shipped adapter against its base on held-out pairs: mean -log p per answer token, in nats.

    python benchmarks/sft_loss.py --data pairs.val.jsonl [--examples 64] [--json]

The file has one {"short", "long"} a line; the examples are derived as for training (docs/training.md).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

from batch.train import read_pairs
from models.entry import SHIPPED_ROOT
from models.language import load_language_model
from vidprompter.training.adapter import merge_adapter
from vidprompter.training.batches import tokenize
from vidprompter.training.derive import derive
from vidprompter.training.sft import evaluate


def main() -> None:
    """Measure both on the same examples."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, default=SHIPPED_ROOT / "builtin" / "adapter.safetensors")
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    examples = [e for made in derive(read_pairs(arguments.data), seed=arguments.seed) for e in made]
    examples = Random(arguments.seed).sample(examples, min(arguments.examples, len(examples)))
    loaded = load_language_model(dtype="float32")
    rows = tokenize(examples, loaded.tokenizer, max_tokens=2048)
    base = evaluate(loaded.model, rows, pad=0)
    merge_adapter(loaded.model, arguments.adapter)
    tuned = evaluate(loaded.model, rows, pad=0)
    if arguments.json:
        print(json.dumps({"ratios": {"adapter_vs_base": tuned / base}, "base": base, "adapter": tuned}))
    else:
        print(
            f"{len(rows)} examples: base {base:.3f} nats, with the adapter {tuned:.3f} ({tuned / base:.2f} of it)"
        )


if __name__ == "__main__":
    main()
