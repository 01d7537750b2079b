"""How fast clips are scored: 5 captions for each of 40 clips, 8 frames a clip, a network of ViT-B/32's size.

    python benchmarks/scoring.py [--turns 2] [--memory] [--json]

vs_pair_loop: how many times as fast as a plain loop with open_clip, which for each clip and caption decodes, encodes both
and multiplies. It is measured on `--pairs` of the 200 pairs, and scaled.
vs_bare_encoder: frames a second of our whole run, from files to scores and texts included, over those of open_clip's
`encode_image` without any text, fed with batches of 32 frames that lie in memory decoded (its own preprocessing, on as many
threads as there are cores). vs_bare_encoder_on_tensors: the same, but fed with preprocessed tensors, over and over.
cached_vs_first: how many times as fast a second run is, which finds all features on disk.
memory_400_vs_40: peak resident memory of our process with 400 clips over that with 40 (--memory, minutes).

The weights are random, the same for all. Each contender has a process of its own and waits while another one computes;
they take turns, and of all turns the best counts, since neighbours only ever make one slower. What a process does once is
left out on both sides: loading, for ours also the export to ONNX (both are told), and one clip to warm up. The second run
counts whole, with loading. Ours is `scoring.similarity.Similarity`, as `vidprompter score --evaluator clip` uses it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
CLIPS, CAPTIONS, FRAMES = 40, 5, 8
TARGETS = {"vs_pair_loop": 4.0, "vs_bare_encoder": 0.9, "cached_vs_first": 30.0}


@click.command(help=__doc__)
@click.option("--turns", type=click.IntRange(min=1), default=2, show_default=True, help="Of each contender.")
@click.option(
    "--pairs",
    type=click.IntRange(CAPTIONS, CLIPS * CAPTIONS),
    default=50,
    show_default=True,
    help="Of 200 that the plain loop does.",
)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="That decode.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--memory", is_flag=True, help="Measure memory too, with 400 clips.")
@click.option("--json", "as_json", is_flag=True)
def main(turns: int, pairs: int, workers: int, device: str, memory: bool, as_json: bool) -> None:
    from scoring_material import write_checkpoint, write_clips

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _say(as_json, "writing a checkpoint and clips")
        write_checkpoint(folder / "checkpoint")
        clips = write_clips(folder / "clips", CLIPS + 1)
        bench = Bench(folder, clips, workers, device, as_json)
        result = bench.speed(turns, pairs)
        if memory:
            result |= bench.memory()
    if as_json:
        click.echo(json.dumps(result))
    else:
        Console().print(_table(result))


class Bench:
    """The measurements. clips: one more than are scored, to warm up with."""

    def __init__(self, folder: Path, clips: list[Path], workers: int, device: str, quiet: bool) -> None:
        self._folder, self._clips, self._warm = folder, clips[:-1], clips[-1]
        self._workers, self._device, self._quiet = workers, device, quiet

    def speed(self, turns: int, pairs: int) -> dict[str, Any]:
        """All numbers but memory."""
        children = {name: Child(name, self._folder, self._device) for name in ("bare", "pairs")}
        ours, bare, loop, cached = [], [], [], []
        numbers = list(range(0, CLIPS, max(1, CLIPS * CAPTIONS // pairs)))[: pairs // CAPTIONS]
        some = [str(clip) for clip in self._clips[:4]]
        export = self._ours("export", self._clips[:1])["loading"]
        for turn in range(turns):
            bare.append(children["bare"].ask(frames=CLIPS * FRAMES, clips=some))
            self._say(f"bare encoder: {bare[-1]['decoded']:.2f} frames a second")
            ours.append(self._ours(f"cache-{turn}", self._clips))
            rate = CLIPS * FRAMES / ours[-1]["seconds"]
            self._say(f"ours: {ours[-1]['seconds']:.2f} s, {rate:.2f} frames a second")
            cached.append(self._ours(f"cache-{turn}", self._clips, warm=False))
            self._say(f"again: {cached[-1]['seconds'] + cached[-1]['loading']:.3f} s")
            loop.append(children["pairs"].ask(clips=[str(clip) for clip in self._clips], numbers=numbers))
            self._say(f"plain loop: {loop[-1]['seconds']:.1f} s for {len(numbers) * CAPTIONS} pairs")
        for child in children.values():
            child.end()
        first = min(one["seconds"] for one in ours)
        again = min(one["seconds"] + one["loading"] for one in cached)
        plain = min(one["seconds"] for one in loop) * CLIPS / len(numbers)
        theirs = np.array(loop[0]["values"])
        apart = np.abs(theirs - np.array([ours[0]["values"][n] for n in numbers])).max()
        same = np.array_equal(ours[0]["values"], cached[0]["values"])
        rate = CLIPS * FRAMES / first
        decoded, tensors = (max(one[kind] for one in bare) for kind in ("decoded", "tensors"))
        return {
            "device": self._device,
            "pairs": {"all": CLIPS * CAPTIONS, "measured": len(numbers) * CAPTIONS},
            "seconds": {
                "ours": round(first, 2),
                "again": round(again, 3),
                "plain_loop": round(plain, 1),
                "loading": round(min(one["loading"] for one in ours), 2),
                "export_once": round(export, 1),
            },
            "frames_per_second": {
                "ours": round(rate, 2),
                "bare_encoder": round(decoded, 2),
                "bare_encoder_on_tensors": round(tensors, 2),
            },
            "all_turns": {
                "ours_seconds": [round(one["seconds"], 2) for one in ours],
                "bare_frames_per_second": [round(one["decoded"], 2) for one in bare],
                "plain_loop_seconds": [round(one["seconds"], 2) for one in loop],
                "again_seconds": [round(one["seconds"] + one["loading"], 3) for one in cached],
            },
            # On a busy machine the best turns of two contenders need not have been equally quiet.
            "vs_bare_encoder_by_turn": [
                round(CLIPS * FRAMES / one["seconds"] / two["decoded"], 3)
                for one, two in zip(ours, bare, strict=True)
            ],
            "largest_difference_to_plain_loop": round(float(apart), 5),
            "again_gives_the_same": same,
            "ratios": {
                "vs_pair_loop": round(plain / first, 2),
                "vs_bare_encoder": round(rate / decoded, 3),
                "vs_bare_encoder_on_tensors": round(rate / tensors, 3),
                "cached_vs_first": round(first / again, 1),
            },
        }

    def memory(self) -> dict[str, Any]:
        """Peak memory with 40 clips and with 400, MB; no features are kept."""
        from scoring_material import renamed

        peaks = {}
        for count in (CLIPS, 10 * CLIPS):
            clips = renamed(self._clips, self._folder / f"many-{count}", count)
            peaks[str(count)] = self._ours("none", clips, cache_bytes=0)["peak_kb"] / 1000
            self._say(f"{count} clips: {peaks[str(count)]:.0f} MB")
        ratio = peaks[str(10 * CLIPS)] / peaks[str(CLIPS)]
        return {
            "peak_mb": {count: round(peak) for count, peak in peaks.items()},
            "memory_400_vs_40": round(ratio, 3),
        }

    def _ours(self, cache: str, clips: list[Path], *, warm: bool = True, cache_bytes: int = 10**9) -> Any:
        """One run of ours in a process of its own."""
        child = Child("ours", self._folder, self._device)
        try:
            return child.ask(
                clips=[str(clip) for clip in clips],
                cache=str(self._folder / cache),
                cache_bytes=cache_bytes,
                workers=self._workers,
                device=self._device,
                warm=str(self._warm) if warm else "",
            )
        finally:
            child.end()

    def _say(self, line: str) -> None:
        _say(self._quiet, line)


class Child:
    """A contender's process, loaded."""

    def __init__(self, name: str, folder: Path, device: str) -> None:
        self.name = name
        # Sleeping threads, which suit a shared machine, would slow torch's down.
        env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "scoring_contenders.py"), name, str(folder), device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**env, "VIDPROMPTER_HOME": str(folder / "home")},
        )
        self._answer()

    def ask(self, **asked: Any) -> Any:
        """Its answer; see `scoring_contenders.py`."""
        assert self._process.stdin
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise click.ClickException(f"{self.name} ended with exit code {self._process.wait()}")
        return json.loads(line)

    def end(self) -> None:
        """Ends the process, which is of no use any more."""
        self._process.kill()
        self._process.wait()


def _say(quiet: bool, line: str) -> None:
    if not quiet:
        click.echo(line, err=True)


def _table(result: dict[str, Any]) -> Table:
    pairs, seconds, rates = result["pairs"], result["seconds"], result["frames_per_second"]
    scaled = "" if pairs["all"] == pairs["measured"] else f", scaled from {pairs['measured']} pairs"
    table = Table(
        title=f"{CAPTIONS} captions x {CLIPS} clips x {FRAMES} frames, {result['device']}",
        caption=f"scores differ from the plain loop's by at most {result['largest_difference_to_plain_loop']}",
    )
    for column in ("", "measured", "ratio", "target"):
        table.add_column(column, justify="right" if column else "left")
    told = {
        "vs_pair_loop": f"{seconds['ours']} s against {seconds['plain_loop']} s{scaled}",
        "vs_bare_encoder": f"{rates['ours']} against {rates['bare_encoder']} frames a second",
        "cached_vs_first": f"{seconds['again']} s against {seconds['ours']} s",
    }
    for name, target in TARGETS.items():
        table.add_row(name, told[name], f"{result['ratios'][name]}", f"at least {target:g}")
    if "memory_400_vs_40" in result:
        peaks = result["peak_mb"]
        table.add_row(
            "memory_400_vs_40", f"{peaks['40']} and {peaks['400']} MB", f"{result['memory_400_vs_40']}", ""
        )
    table.add_row(
        "loading, not counted", f"{seconds['loading']} s; once ever {seconds['export_once']} s", "", ""
    )
    return table


if __name__ == "__main__":
    main()
