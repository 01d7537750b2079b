"""What the batch engine itself costs: a long manifest with a writer and a measurement that cost nothing.

    python benchmarks/engine_overhead.py [--items 100000] [--json]

Every item is a file of its own (links to one small file). Three processes, one after another: a tenth of the
items for the memory, all of them, and all of them again, when nothing is left to do. Figures are of the whole
process: reading the list, the ledger, worker processes, output. Ratios are against the limits that the engine
promises: 1 ms an item, 5 s to find that 100 000 items are done, memory that does not grow.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from memory import peak_of

HERE = Path(__file__).resolve().parent
LIMIT_MS, LIMIT_RESUME_SECONDS = 1.0, 5.0


@click.command(help=__doc__)
@click.option("--items", type=click.IntRange(min=1000), default=100_000, show_default=True)
@click.option(
    "--format", "suffix", type=click.Choice(["jsonl", "parquet"]), default="jsonl", show_default=True
)
@click.option("--json", "as_json", is_flag=True)
@click.option("--work", nargs=2, hidden=True, help="Manifest and output: the measured process itself.")
def main(items: int, suffix: str, as_json: bool, work: tuple[str, str] | None) -> None:
    if work:
        sys.exit(run(*work))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many = manifest(folder / "few", items // 10), manifest(folder / "many", items)
        tenth = measured(few, folder / f"few.{suffix}")
        whole = measured(many, folder / f"many.{suffix}")
        resumed = measured(many, folder / f"many.{suffix}")
    per_item = 1000 * whole["seconds"] / items
    limit = LIMIT_RESUME_SECONDS * items / 100_000
    result = {
        "items": items,
        "ms_per_item": round(per_item, 3),
        "resume_seconds": round(resumed["seconds"], 2),
        "peak_mb": {str(items // 10): tenth["peak_mb"], str(items): whole["peak_mb"]},
        "ratios": {
            "engine_vs_1_ms_per_item": round(per_item / LIMIT_MS, 3),
            "resume_vs_limit": round(resumed["seconds"] / limit, 3),
            "memory_all_vs_a_tenth": round(whole["peak_mb"] / tenth["peak_mb"], 3),
        },
    }
    if as_json:
        click.echo(json.dumps(result))
        return
    click.echo(f"{items} items: {per_item:.3f} ms each, {resumed['seconds']:.2f} s to see that all are done")
    click.echo(
        f"peak memory, all processes: {tenth['peak_mb']} MB for a tenth, {whole['peak_mb']} MB for all"
    )


def manifest(folder: Path, items: int) -> Path:
    """A CSV of `items` files."""
    folder.mkdir()
    first = folder / "0.mp4"
    first.write_bytes(os.urandom(2000))
    place = folder / "list.csv"
    with place.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path"])
        for number in range(items):
            if number % 30_000:  # file systems limit the links to one file
                os.link(first, folder / f"{number}.mp4")
            elif number:
                first = folder / f"{number}.mp4"
                first.write_bytes(os.urandom(2000))
            rows.writerow([f"{number}.mp4"])
    return place


def measured(manifest: Path, output: Path) -> dict[str, Any]:
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, "--work", str(manifest), str(output)], stdout=subprocess.DEVNULL
    )
    peak = peak_of(process)
    if process.returncode:
        raise click.ClickException(f"the run ended with exit code {process.returncode}")
    return {"seconds": time.perf_counter() - began, "peak_mb": round(peak / 1e6)}


def run(manifest: str, output: str) -> int:
    """One run of the engine, as the command does it."""
    from engine_stub import IDENTITY, measure, stub_source

    from batch.caption.flow import FlowOptions, usable_cores
    from batch.caption.jobs import CaptionSettings
    from batch.caption.run import CaptionOptions, CaptionRun, Talk
    from batch.inputs.collect import Given, collect_clips
    from batch.outputs.choose import view_of
    from vidprompter.tasks import Sampling

    quiet = Talk(answer=lambda line: None, say=lambda line: None)
    return CaptionRun(
        settings=CaptionSettings(IDENTITY, Sampling()),
        options=CaptionOptions(Path(output), FlowOptions(usable_cores(), 32, 30.0), view=view_of),
        source=stub_source(),
        talk=quiet,
        measure=measure,
    ).execute(collect_clips(Given(paths=(manifest,)), quiet.say))


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
