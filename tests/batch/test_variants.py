"""`--per-clip`, wording and large models on the way from the command line to the rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from batch.caption.jobs import ClipJob, stretches_of, together, variants_of
from batch.cli import run
from batch.inputs.entry import ClipEntry
from tests.batch.stub import write_video
from tests.vidprompter.engines.multimodal.families import FAMILIES


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES["llava_onevision"](tmp_path_factory.mktemp("models") / "llava_onevision")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    write_video(folder / "a.mp4")
    write_video(folder / "b.mp4", shade=90)
    (folder / "bad.mp4").write_bytes(b"nothing")
    return folder


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def caption(clips: Path, model: Path, *more: str) -> int:
    return run(
        ["caption", str(clips), "--model", str(model), "--max-new-tokens", "6", "--workers", "1", *more]
    )


def test_a_large_model_gives_each_clip_several_prompts(clips: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    assert caption(clips, model, "--out", str(out), "--per-clip", "3", "--frames", "2") == 1
    rows = rows_of(out)
    assert len(rows) == 9
    for name in ("a.mp4", "b.mp4"):
        own = [row for row in rows if row["path"].endswith(name)]
        assert sorted(row["variant"] for row in own) == [0, 1, 2]
        assert len({row["prompt"] for row in own}) == 3
        assert all(row["engine"] == "transformers" and row["model"] == "llava_onevision" for row in own)
        assert all(row["settings"]["frames"] == 2 == row["settings"]["options"]["frames"] for row in own)
    assert {row["error"]["type"] for row in rows if row["error"]} == {"NotAVideoFile"}
    before = out.read_bytes()
    assert caption(clips, model, "--out", str(out), "--per-clip", "3", "--frames", "2") == 1
    assert out.read_bytes() == before
    assert caption(clips, model, "--out", str(out), "--per-clip", "4", "--frames", "2") == 1
    assert len(rows_of(out)) == 12


def test_beams_and_wording_are_in_the_rows(clips: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    asked = ("--beams", "3", "--lock", "a red umbrella", "--avoid", "dog", "--prefix", "ohwx", "--for", "ltx")
    caption(clips, model, "--out", str(out), *asked)
    row = next(row for row in rows_of(out) if row["prompt"])
    assert [set(beam) for beam in row["beams"]] == [{"text", "logprob", "tokens", "finish"}] * 3
    assert "a red umbrella" in row["prompt"] and row["prompt"].startswith("ohwx")
    assert row["settings"]["wording"] == {
        "locked": ["a red umbrella"], "avoid": ["dog"], "prefix": "ohwx", "target": "ltx"
    }  # fmt: skip
    assert row["settings"]["temperature"] == 0 and row["negative"]


def test_a_lost_ledger_is_made_again_with_all_that_was_asked(
    clips: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.jsonl"
    asked = (
        "--out",
        str(out),
        "--per-clip",
        "2",
        "--lock",
        "a red umbrella",
        "--frames",
        "2",
        "--stop",
        "!!",
    )
    caption(clips, model, *asked)
    before = out.read_bytes()
    Path(f"{out}.ledger.sqlite").unlink()
    assert run(["runs", "repair", str(out)]) == 0
    assert caption(clips, model, *asked) == 1
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            ("--per-clip", "2", "--temperature", "0"),
            "--per-clip 2 with --temperature 0 would give the same prompt",
        ),
        (("--beams", "5", "--temperature", "0.7"), "--beams 5 draws nothing"),
        (("--beams", "5", "--candidates", "3"), "--beams 5 gives its best beam"),
        (("--lock", "a red dog", "--avoid", "dogs"), "dogs"),
        (("--for", "ltz"), "ltx"),
        (("--language", "klingon"), "ISO 639-1"),
        (("--model", "no-such-model"), "no-such-model"),
        (("--model", "builtin", "--beams", "65"), "65"),
        (("--model", "builtin", "--engine", "transformers"), "runs in the engine 'builtin'"),
    ],
)
def test_usage_errors_are_one_line_before_anything_is_done(
    clips: Path, wrong: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "o.jsonl"
    assert run(["caption", str(clips), "--out", str(out), *wrong]) in (1, 2)
    told = capsys.readouterr().err
    assert said in told
    assert not out.exists()


def entry(name: str, **more: Any) -> ClipEntry:
    return ClipEntry(name, "/", **more)


def test_jobs_of_one_clip_are_looked_at_together() -> None:
    first, second = (variants_of(entry(name), 2) for name in "ab")
    jobs = [ClipJob(one, key=f"{one.path}{one.variant}") for one in (*first, *second)]
    grouped = list(together(jobs))
    assert [job.key for job in grouped] == ["a0", "b0"]
    assert [[other.key for other in job.others] for job in grouped] == [["a1"], ["b1"]]
    apart = [ClipJob(one) for one in (entry("a", start=1.0, end=2.0), entry("a"), entry("a", short="a cat"))]
    assert [len(job.others) for job in together(apart)] == [0, 1]


def test_stretches_get_all_variants() -> None:
    found = stretches_of(entry("a"), [(0.0, 1.0), (1.0, 2.0)], 2)
    assert [(one.start, one.variant) for one in found] == [(0.0, 0), (0.0, 1), (1.0, 0), (1.0, 1)]


def test_many_frames_make_small_batches() -> None:
    from batch.caption.flow import FlowOptions
    from batch.caption.measure import held_bytes
    from vidprompter.engines.options import EngineOptions
    from vidprompter.engines.protocol import BUILTIN, Capabilities

    large = Capabilities(video=True, beams=True, logprobs=True, streaming=True, frames=True)
    assert held_bytes(BUILTIN, EngineOptions()) == 0
    assert held_bytes(large, EngineOptions(send="file")) == 0
    for frames, at_once in ((8, 32), (512, 4)):
        clip = held_bytes(large, EngineOptions(frames=frames))
        assert FlowOptions(2, 32, 30.0, clip_bytes=clip).at_once == at_once
    assert FlowOptions(2, 32, 30.0).at_once == 32


def test_servers_are_kept_busy() -> None:
    from batch.commands.writing import Writing, batch_of
    from vidprompter.engines.options import EngineOptions
    from vidprompter.engines.protocol import WriterIdentity
    from vidprompter.tasks import Sampling, Wording

    writing = Writing("m", "auto", EngineOptions(concurrency=20), Sampling(), Wording(), 0)
    assert batch_of(WriterIdentity("m", "1", "openai"), writing, 32) == 80
    assert batch_of(WriterIdentity("m", "1", "builtin"), writing, 32) == 32
