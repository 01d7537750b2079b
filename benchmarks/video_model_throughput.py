"""How many clips a minute the transformers engine writes for, against the plain `generate` loop, in one run.

The model has random weights and the size of Qwen2.5-VL-3B (`--size 3b`, for a GPU) or a toy's (`--size tiny`, to see
that the script runs). Both sides get the same frames, use the same processor, dtype, device and attention kernel, and
write the same number of tokens; the baseline is the loop that model cards show: one clip, one `generate`. Times are
after a warm-up, interleaved, the best of `--repeats`.

    python benchmarks/video_model_throughput.py --size 3b --clips 64 --json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from models.locate import Located  # noqa: E402
from tests.vidprompter.engines.multimodal.families import template, tokenizer  # noqa: E402
from vidprompter.engines.multimodal.engine import TransformersEngine  # noqa: E402
from vidprompter.engines.multimodal.load import VideoModel, choose_attention  # noqa: E402
from vidprompter.engines.options import EngineOptions  # noqa: E402
from vidprompter.tasks import Prompt, Request, Sampling, Task  # noqa: E402
from vidprompter.video.clip import Clip, VideoInfo  # noqa: E402

# Qwen/Qwen2.5-VL-3B-Instruct's config.json, and a toy with the same parts.
SIZES: dict[str, dict[str, Any]] = {
    "3b": {
        "text": {
            "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
            "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True, "max_position_embeddings": 32768,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
        },
        "vision": {
            "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 2048,
            "fullatt_block_indexes": [7, 15, 23, 31], "window_size": 112,
        },
    },
    "tiny": {
        "text": {
            "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "vocab_size": 512, "max_position_embeddings": 32768,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
        },
        "vision": {
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4, "out_hidden_size": 64,
            "fullatt_block_indexes": [1], "window_size": 112,
        },
    },
}  # fmt: skip


def build(size: str, device: str, dtype: torch.dtype) -> VideoModel:
    """A random model of that size with a processor of its family."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    marks = {name: f"<|{name}|>" for name in ("image_pad", "video_pad", "vision_start", "vision_end")}
    names = ("image_token", "video_token", "vision_start_token", "vision_end_token")
    tok = tokenizer(dict(zip(names, marks.values(), strict=True)))
    ids = {
        f"{name}_id": tok.convert_tokens_to_ids(mark)
        for name, mark in zip(names, marks.values(), strict=True)
    }
    config = Qwen2_5_VLConfig(text_config=SIZES[size]["text"], vision_config=SIZES[size]["vision"], **ids)
    attention = choose_attention("auto", device, dtype)
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = Qwen2_5_VLForConditionalGeneration._from_config(
                config, attn_implementation=attention
            ).eval()
    finally:
        torch.set_default_dtype(torch.float32)
    model.generation_config.eos_token_id = tok.eos_token_id
    model.generation_config.pad_token_id = tok.pad_token_id
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(),
        tok,
        Qwen2VLVideoProcessor(cap_pixels_per_frame=True),
        chat_template=template("<|vision_start|><|video_pad|><|vision_end|>"),
    )
    name = str(dtype).removeprefix("torch.")
    return VideoModel(model, processor, name, device, f"{size}: {name} on {device}, attention {attention}")


def clips(count: int, frames: int, width: int, height: int) -> list[Clip]:
    rng = np.random.default_rng(0)
    info = VideoInfo("random", width, height, 24.0, 5.0, 120, 0, "none", "none")
    times = np.arange(frames) * (5.0 / frames)
    return [
        Clip(rng.integers(0, 255, (frames, height, width, 3), np.uint8), times, info) for _ in range(count)
    ]


def plain_loop(engine: TransformersEngine, asked: list[Request]) -> int:
    """Tokens written: one clip after the other, as model cards do."""
    from vidprompter.engines.multimodal.engine import _Seen

    model, written = engine._loaded.model, 0
    for request in asked:
        tensors = engine._prepare(request, _Seen()).context.tensors
        inputs = {
            name: one.to(model.device, model.dtype)
            if one.is_floating_point() and one.ndim > 1
            else one.to(model.device)
            for name, one in tensors.items()
        }
        with torch.inference_mode():
            new = request.sampling.max_new_tokens
            out = model.generate(**inputs, max_new_tokens=new, min_new_tokens=new, do_sample=False)
        written += out.shape[1] - inputs["input_ids"].shape[1]
    return written


def ours(engine: TransformersEngine, asked: list[Request], batch: int) -> int:
    """Tokens written by the engine, `batch` requests handed over at once."""
    written = 0
    for start in range(0, len(asked), batch):
        for one in engine.generate_batch(asked[start : start + batch]):
            assert isinstance(one, Prompt), one
            written += len(one.ids)
    return written


def timed(work: Callable[[], int], device: str) -> tuple[float, int]:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    began = time.perf_counter()
    written = work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - began, written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="3b" if torch.cuda.is_available() else "tiny")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()

    dtype = torch.bfloat16 if given.device.startswith("cuda") else torch.float32
    with tempfile.TemporaryDirectory() as folder:
        located = Located(Path(folder), f"random-{given.size}", "random", "transformers", "folder")
        engine = TransformersEngine(located, EngineOptions(frames=given.frames, device=given.device))
        engine.__dict__["_loaded"] = build(given.size, given.device, dtype)
        sampling = Sampling(max_new_tokens=given.tokens, temperature=0)
        asked = [
            Request(Task.VIDEO_TO_PROMPT, video=clip, sampling=sampling)
            for clip in clips(given.clips, given.frames, 448, 252)
        ]
        sides = {
            "generate loop": lambda: plain_loop(engine, asked),
            "engine": lambda: ours(engine, asked, given.batch),
        }
        plain_loop(engine, asked[:1])
        ours(engine, asked[: min(4, len(asked))], given.batch)
        best: dict[str, float] = {}
        tokens: dict[str, int] = {}
        for _ in range(given.repeats):
            for name, work in sides.items():
                seconds, tokens[name] = timed(work, given.device)
                best[name] = min(best.get(name, seconds), seconds)
    report(given, best, tokens, engine._loaded.why)


def report(given: argparse.Namespace, best: dict[str, float], tokens: dict[str, int], why: str) -> None:
    per_minute = {name: 60 * given.clips / seconds for name, seconds in best.items()}
    figures = {
        "ratios": {"engine_vs_generate": per_minute["engine"] / per_minute["generate loop"]},
        "clips_per_minute": per_minute,
        "tokens": tokens,
        "model": why,
        "clips": given.clips,
        "frames": given.frames,
        "tokens_per_clip": given.tokens,
        "batch": given.batch,
    }
    if given.device.startswith("cuda"):
        figures["gpu"] = torch.cuda.get_device_name()
        figures["peak_gpu_gb"] = torch.cuda.max_memory_allocated() / 1e9
    if given.json:
        print(json.dumps(figures))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{why}; {given.clips} clips, {given.frames} frames, {given.tokens} tokens each")
    for column in ("", "clips a minute", "tokens/s"):
        table.add_column(column, justify="right" if column else "left")
    for name, seconds in best.items():
        table.add_row(name, f"{per_minute[name]:.1f}", f"{tokens[name] / seconds:.0f}")
    Console().print(table)
    print(f"engine_vs_generate: {figures['ratios']['engine_vs_generate']:.2f}")


if __name__ == "__main__":
    main()
