"""Clips a minute of the batch engine, against one clip at a time and against what the machine could do at best.

    python benchmarks/caption_throughput.py [--clips FOLDER] [--json]

one by one: each clip is read, measured and written about before the next one, with `generate` of transformers in
float32; the candidates of a clip are drawn together, checked and mended as the engine does. bound: all frames are
in memory before the clock starts; the sheets are measured on all cores, then all prompts are written, at the best
of some batch sizes. engine: `vidprompter caption` as it is, ledger and output included, to its last row. The
language model is loaded before the clock starts in all three; worker processes start after it.

memory: the most that a run of `--long` clips and its workers have at once, against one of `--short` clips. One
short candidate a clip, or it would take an hour: the question is whether memory grows.

Each part runs in a process of its own. Clips are links to those of the folder, over and over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from memory import peak_of

BATCHES = (32, 64)


@click.command(help=__doc__)
@click.option("--clips", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--count", default=64, show_default=True, help="Clips for the engine and the bound.")
@click.option("--one-by-one", "singles", default=13, show_default=True, help="Clips for one by one.")
@click.option("--short", default=40, show_default=True, help="Clips of the short memory run.")
@click.option("--long", default=400, show_default=True, help="Clips of the long memory run; 0 for none.")
@click.option("--json", "as_json", is_flag=True)
@click.option(
    "--part", nargs=2, hidden=True, help="A part and its folder of clips: the measured process itself."
)
def main(
    folder: Path | None,
    count: int,
    singles: int,
    short: int,
    long: int,
    as_json: bool,
    part: tuple[str, str] | None,
) -> None:
    if part:
        print(json.dumps(PARTS[part[0]](Path(part[1]))))
        return
    with tempfile.TemporaryDirectory() as name:
        sources = clips_of(folder)

        def measured(kind: str, number: int) -> dict[str, Any]:
            return run_part(kind, linked(sources, Path(name) / f"{kind}{number}", number), as_json)

        alone, bound, engine = measured("alone", singles), measured("bound", count), measured("engine", count)
        rates = {kind: 60 / one["seconds_per_clip"] for kind, one in
                 (("one_by_one", alone), ("bound", bound), ("engine", engine))}  # fmt: skip
        ratios = {
            "engine_vs_one_by_one": rates["engine"] / rates["one_by_one"],
            "engine_vs_bound": rates["engine"] / rates["bound"],
        }
        peaks = {}
        if long:
            peaks = {number: measured("memory", number)["peak_mb"] for number in (short, long)}
            ratios[f"memory_{long}_vs_{short}"] = peaks[long] / peaks[short]
    result = {
        "clips_per_minute": {kind: round(rate, 2) for kind, rate in rates.items()},
        "peak_mb": peaks,
        "bound": bound,
        "ratios": {key: round(value, 3) for key, value in ratios.items()},
    }
    click.echo(json.dumps(result) if as_json else _table(result))


def clips_of(folder: Path | None) -> list[Path]:
    from batch.inputs.scan import MEDIA_SUFFIXES
    from models.registry import registry

    place = folder or registry().get("example-clips").path()
    found = sorted(path for path in place.rglob("*") if path.suffix in MEDIA_SUFFIXES)
    if not found:
        raise click.ClickException(f"no clips in {place}")
    return found


def linked(sources: Sequence[Path], folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        source = sources[number % len(sources)]
        (folder / f"{number:04}{source.suffix}").symlink_to(source.resolve())
    return folder


def run_part(kind: str, folder: Path, quiet: bool) -> dict[str, Any]:
    count = len(list(folder.iterdir()))
    process = subprocess.Popen(
        [sys.executable, __file__, "--part", kind, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # One process for each core measures: as in the engine's workers, none of them gets threads of its own.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"} if kind == "bound" else None,
    )
    # Looking at gigabytes takes time, so nobody looks where time is measured.
    peak = peak_of(process, 0.5) if kind == "memory" else None
    out, _ = process.communicate()
    if process.returncode:
        raise click.ClickException(f"{kind} ended with exit code {process.returncode}")
    result = json.loads(out.splitlines()[-1])
    if peak is not None:
        result["peak_mb"] = round(peak / 1e6)
    if not quiet:
        click.echo(f"{kind}, {count} clips: {result}", err=True)
    return result


# --- one by one -----------------------------------------------------------------------------------------------


def alone(folder: Path) -> dict[str, Any]:
    from random import Random

    import torch

    from models.language import load_language_model
    from vidprompter.engines.builtin import BuiltinEngine
    from vidprompter.engines.prompting import END_OF_TURN, chat, context
    from vidprompter.facts.check import check, weight
    from vidprompter.facts.repair import mend
    from vidprompter.sheet.lines import lines_of
    from vidprompter.sheet.measure import load_networks, measure_sheet
    from vidprompter.tasks import Sampling, Task
    from vidprompter.training.adapter import merge_adapter

    loaded = load_language_model(dtype="float32")
    merge_adapter(loaded.model, BuiltinEngine().adapter)
    load_networks()
    tokenizer, sampling = loaded.tokenizer, Sampling()
    stop = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END_OF_TURN)]
    torch.manual_seed(0)
    clips = sorted(folder.iterdir())
    began = time.perf_counter()
    for clip in clips:
        lines = lines_of(measure_sheet(clip))
        text = chat(context(Task.VIDEO_TO_PROMPT, lines=lines.render()))
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        out = loaded.model.generate(
            **ids,
            do_sample=True,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_new_tokens=sampling.max_new_tokens,
            num_return_sequences=sampling.resolved(4).candidates,
            eos_token_id=stop,
            pad_token_id=tokenizer.pad_token_id or 0,
        )
        texts = tokenizer.batch_decode(out[:, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        best = min(texts, key=lambda one: weight(check(one, lines=lines, short=None)))
        mend(best, lines=lines, short=None, finished=True, rng=Random(0))
    return {"seconds_per_clip": (time.perf_counter() - began) / len(clips)}


# --- the bound ------------------------------------------------------------------------------------------------

_FRAMES: list[Any] = []


def bound(folder: Path) -> dict[str, Any]:
    """Two phases, each of which has all cores; whatever can be prepared is, before the clock starts."""
    from multiprocessing import get_context

    from batch.caption.flow import usable_cores
    from vidprompter.sheet.measure import sampling_plans
    from vidprompter.tasks import Request, Task
    from vidprompter.video.source import VideoSource

    for clip in sorted(folder.iterdir()):
        _FRAMES.append(VideoSource(clip, threads=1).sample(*sampling_plans()))
    # Forked: the frames are there already. Before torch, whose threads do not survive it.
    with get_context("fork").Pool(usable_cores(), initializer=_single_threaded) as pool:
        pool.map(_measure, [0] * usable_cores(), chunksize=1)
        began = time.perf_counter()
        sheets = pool.map(_measure, range(len(_FRAMES)), chunksize=1)
        measuring = time.perf_counter() - began
    _FRAMES.clear()
    requests = [Request(Task.VIDEO_TO_PROMPT, sheet=sheet) for sheet in sheets]
    writing = {size: _seconds_to_write(requests, size) for size in BATCHES}
    best = min(writing, key=lambda size: writing[size])
    return {
        "seconds_per_clip": (measuring + writing[best]) / len(requests),
        "measuring_seconds": round(measuring, 1),
        "writing_seconds": {str(size): round(seconds, 1) for size, seconds in writing.items()},
        "best_batch": best,
    }


def _single_threaded() -> None:
    import cv2

    cv2.setNumThreads(1)


def _measure(number: int) -> Any:
    from vidprompter.sheet.measure import measure_clips

    return measure_clips(*_FRAMES[number])


def _seconds_to_write(requests: Sequence[Any], size: int) -> float:
    from vidprompter import VidPrompter

    writer = VidPrompter.load("builtin")
    writer.prepare()
    began = time.perf_counter()
    for start in range(0, len(requests), size):
        writer.generate_batch(requests[start : start + size])
    return time.perf_counter() - began


# --- the engine -----------------------------------------------------------------------------------------------


def engine(folder: Path, *, short: bool = False) -> dict[str, Any]:
    from batch.caption.flow import FlowOptions, usable_cores
    from batch.caption.jobs import CaptionSettings
    from batch.caption.run import CaptionOptions, CaptionRun, Talk
    from batch.commands.caption import BATCH_CLIPS
    from batch.inputs.collect import Given, collect_clips
    from batch.writers import WriterSource
    from vidprompter import VidPrompter
    from vidprompter.tasks import Sampling

    writer = VidPrompter.load("builtin")
    writer.prepare()
    quiet = Talk(answer=lambda line: None, say=lambda line: None)
    run = CaptionRun(
        settings=CaptionSettings(
            VidPrompter.identify("builtin"),
            Sampling(max_new_tokens=32, candidates=1) if short else Sampling(),
        ),
        options=CaptionOptions(
            folder.with_name(f"{folder.name}.jsonl"), FlowOptions(usable_cores(), BATCH_CLIPS, 120.0)
        ),
        source=WriterSource(VidPrompter.identify("builtin"), lambda say: writer),
        talk=quiet,
    )
    began = time.perf_counter()
    code = run.execute(collect_clips(Given(paths=(str(folder),)), quiet.say))
    seconds = time.perf_counter() - began
    if code:
        raise SystemExit(f"the engine ended with {code}: {run.tally.to_json()}")
    return {"seconds_per_clip": seconds / run.tally.done}


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "alone": alone,
    "bound": bound,
    "engine": engine,
    "memory": partial(engine, short=True),
}


def _table(result: dict[str, Any]) -> str:
    lines = [f"{kind:<12} {rate:8.2f} clips a minute" for kind, rate in result["clips_per_minute"].items()]
    lines += [f"peak memory, {number} clips: {peak} MB" for number, peak in result["peak_mb"].items()]
    return "\n".join([*lines, *(f"{name:<24} {value}" for name, value in result["ratios"].items())])


if __name__ == "__main__":
    main()
