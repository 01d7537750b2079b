"""The processes of `benchmarks/scoring.py`: told what to do by lines of JSON, each answers with one."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from scoring_material import ARCHITECTURE, captions

FRAMES, BATCH = 8, 32


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    answer = {"ours": _ours, "bare": _bare, "pairs": _pairs}[name](folder)
    print(json.dumps("loaded"), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def _ours(folder: Path) -> Callable[[dict[str, Any]], Any]:
    sys.path.remove(
        str(Path(__file__).resolve().parent)
    )  # our package is meant, not the benchmark of its name
    from scoring.names import EvaluatorOptions, Named
    from scoring.similarity import Similarity
    from vidprompter.tasks import Request, Task

    def answer(asked: dict[str, Any]) -> Any:
        """{"seconds", "loading"}: of scoring, and of the encoder's and processes' start before, on a clip of its own."""
        options = EvaluatorOptions(
            device=asked["device"],
            cache=Path(asked["cache"]),
            cache_bytes=asked["cache_bytes"],
            workers=asked["workers"],
        )
        clips = [Path(one) for one in asked["clips"]]
        began = time.perf_counter()
        made = Similarity([Named("clip", str(folder / "checkpoint"))], options)
        if asked["warm"]:
            made.score([Request(Task.VIDEO_TO_PROMPT, Path(asked["warm"]))], [["warm"]])
        loaded = time.perf_counter()
        requests = [Request(Task.VIDEO_TO_PROMPT, clip) for clip in clips]
        outcomes = made.score(requests, [captions(n) for n in range(len(clips))])
        ended = time.perf_counter()
        made.close()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        values = [[one.scores[0].value for one in outcome] for outcome in outcomes]  # type: ignore[union-attr]
        return {"seconds": ended - loaded, "loading": loaded - began, "peak_kb": peak, "values": values}

    return answer


def _bare(folder: Path) -> Callable[[dict[str, Any]], Any]:
    import torch
    from PIL import Image

    (model, preprocess), device = _open_clip(folder), _device()

    def prepared(frame: Any) -> Any:
        return preprocess(Image.fromarray(frame))

    def answer(asked: dict[str, Any]) -> Any:
        """Frames a second of `encode_image` in batches of 32: {"decoded", "tensors"}, by what lies in memory."""
        frames = [frame for clip in asked["clips"] for frame in _decode(clip)][:BATCH]
        times = asked["frames"] // BATCH
        rates = {}
        with torch.inference_mode(), ThreadPoolExecutor(os.cpu_count()) as threads:
            pixels = torch.stack([prepared(frame) for frame in frames]).to(device)
            model.encode_image(pixels).cpu()
            began = time.perf_counter()
            for _ in range(times):
                model.encode_image(pixels).cpu()
            rates["tensors"] = times * BATCH / (time.perf_counter() - began)
            began = time.perf_counter()
            for _ in range(times):
                model.encode_image(torch.stack(list(threads.map(prepared, frames))).to(device)).cpu()
            rates["decoded"] = times * BATCH / (time.perf_counter() - began)
        return rates

    return answer


def _pairs(folder: Path) -> Callable[[dict[str, Any]], Any]:
    """What anybody would write: for each clip and caption decode, encode both, multiply."""
    import open_clip
    import torch
    from PIL import Image

    (model, preprocess), device = _open_clip(folder), _device()
    tokenize = open_clip.get_tokenizer(ARCHITECTURE)

    def score(clip: str, caption: str) -> float:
        pictures = [preprocess(Image.fromarray(frame)) for frame in _decode(clip)]
        with torch.inference_mode():
            images = model.encode_image(torch.stack(pictures).to(device), normalize=True)
            text = model.encode_text(tokenize([caption]).to(device), normalize=True)
            mean = torch.nn.functional.normalize(images.mean(0), dim=0)
            return float(100 * mean @ text[0])

    def answer(asked: dict[str, Any]) -> Any:
        """{"seconds", "values"}: of the pairs (clip, number of caption)."""
        score(asked["clips"][0], "warm")
        began = time.perf_counter()
        values = [[score(asked["clips"][n], text) for text in captions(n)] for n in asked["numbers"]]
        return {"seconds": time.perf_counter() - began, "values": values}

    return answer


def _decode(clip: str) -> list[Any]:
    """Eight frames, from the middles of eight parts."""
    import av

    with av.open(clip) as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = list(container.decode(video=0))
    chosen = ((np.arange(FRAMES) + 0.5) * len(frames) / FRAMES).astype(int)
    return [frames[n].to_ndarray(format="rgb24") for n in chosen]


def _open_clip(folder: Path) -> tuple[Any, Any]:
    """The model, and what it does to a picture."""
    import open_clip
    from safetensors.torch import load_file

    model, _, preprocess = open_clip.create_model_and_transforms(ARCHITECTURE, pretrained=None)
    model.load_state_dict(load_file(folder / "checkpoint" / "open_clip_model.safetensors"))
    return model.to(_device()).eval(), preprocess


def _device() -> str:
    return sys.argv[3]


if __name__ == "__main__":
    main()
