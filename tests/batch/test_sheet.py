"""`vidprompter sheet`: the table, the JSON, the errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from batch.cli import cli
from batch.sheets import measure_all
from tests.vidprompter.engines.test_builtin import sheet
from vidprompter.errors import WeightsMissing
from vidprompter.sheet.render import sheet_table


def test_the_table_shows_every_fact_with_its_confidence() -> None:
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(sheet_table(sheet("pan left", "horse", "field")))
    text = capture.get()
    for fact in (
        "pan left",
        "steady",
        "1 x horse (brown, center)",
        "field",
        "bright",
        "medium",
        "green 50%",
        "0.90",
    ):
        assert fact in text


@pytest.mark.weights
def test_a_missing_clip_is_one_line_and_exit_1(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["sheet", str(tmp_path / "none.mp4"), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["type"] == "VideoNotFound"
    assert len(result.stderr.strip().splitlines()) == 1


def test_missing_weights_end_the_command_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "empty"))
    with pytest.raises(WeightsMissing, match="vidprompter models pull"):
        list(measure_all([tmp_path / "a.mp4"], start=None, end=None, workers=1, decode_timeout=60))


@pytest.mark.weights
def test_json_has_the_documented_fields(tmp_path: Path) -> None:
    from models.fetching import find

    clip = find("example-clips") / "carphone.mp4"
    result = CliRunner().invoke(cli, ["sheet", str(clip), "--json"])
    assert result.exit_code == 0, result.stderr
    row = json.loads(result.stdout)
    assert {"camera", "shots", "objects", "scene", "palette", "light", "contrast"} <= set(row)
    assert {"motion", "speed", "confidence"} <= set(row["camera"])
    assert all({"start", "end", "camera", "size"} <= set(shot) for shot in row["shots"])
    person = next(o for o in row["objects"] if o["label"] == "person")
    assert {"label", "count", "confidence", "color", "position", "motion"} <= set(person)
    assert person["count"] == 1
