"""`score` and `rank` of one clip."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.score.asked import NO_IDEA, asked_of, request_for
from batch.score.fields import RankAnswer, ScoreAnswer, plain
from batch.score.show import cell, digits_of
from tests.batch.score.conftest import Command
from vidprompter.errors import InputError
from vidprompter.scores import TRUNCATED, EvaluatorIdentity, Score

LONG = "word " * 10_000


def test_a_cell_says_what_makes_its_number_doubtful() -> None:
    assert cell(Score("clip", 10.53, flags=("language",)), 1) == "10.5 (not English)"
    assert cell(Score("clip", 10.53, 99, 22, ("truncated",)), 1) == "10.5 (22 tokens not read)"
    assert cell(Score("rubric", 5.0, flags=("weak:style",)), 2) == "5.00"
    assert cell(Score("rubric", None, flags=("language",)), 2) == "- (language)"


def test_json_has_one_object_for_each_caption_in_the_order_given(here: Path, vidprompter: Command) -> None:
    captions = ["a grey wall", "🎬 écran 日本語", LONG.strip(), "[bold]x[/bold]"]
    done = vidprompter("score", "c2.mp4", *captions, "--evaluator", "paper", "--json")
    assert done.code == 0, done.err
    answers = json.loads(done.out)
    assert [one["caption"] for one in answers] == captions
    for one in answers:
        assert set(one) == set(ScoreAnswer.__annotations__)
        assert list(one["scores"]) == ["clip", "long-clip", "videoclip-xl"]
        assert one["mean"] == pytest.approx(sum(one["scores"].values()) / 3)
        assert one["clip"] == "c2.mp4"
        assert [identity["revision"] for identity in one["evaluators"]] == ["1", "1", "1"]
    assert answers[0]["truncated"] == {}
    assert answers[2]["truncated"] == {"clip": 9980, "long-clip": 9980, "videoclip-xl": 9980}
    assert "clip:truncated" in answers[2]["flags"]


def test_the_table_says_what_was_not_read(here: Path, vidprompter: Command) -> None:
    done = vidprompter("score", "c2.mp4", "a wall", LONG, "--evaluator", "clip", "--evaluator", "builtin")
    assert done.code == 0, done.err
    assert done.out.count("(9980 tokens not read)") == 2
    assert "mean" in done.out
    assert "-100 to 100" in done.out
    assert max(map(len, done.out.splitlines())) <= 120


def test_evaluators_of_different_ranges_have_no_mean(here: Path, vidprompter: Command) -> None:
    arguments = ["score", "c2.mp4", "a wall", "--evaluator", "clip", "--evaluator", "rubric"]
    assert json.loads(vidprompter(*arguments, "--json").out)[0]["mean"] is None
    assert "mean" not in vidprompter(*arguments).out


def test_texts_without_a_clip(here: Path, vidprompter: Command) -> None:
    done = vidprompter("score", "--no-clip", "A wall.", "A dog.", "--json")
    assert [one["scores"] for one in json.loads(done.out)] == [{"rubric": 1.0}, {"rubric": 1.0}]
    done = vidprompter("score", "--no-clip", "A wall.", "--evaluator", "clip")
    assert done.code == 2
    assert "clip cannot judge a text without its clip" in done.err


def test_captions_from_a_file_and_from_stdin(
    here: Path, vidprompter: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "l.txt").write_text("two walls\n\n  three walls \u2028 here\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\r\n\nb\n")))
    done = vidprompter("score", "c1.mp4", "one wall", "-", "--from", "l.txt", "--json")
    assert [one["caption"] for one in json.loads(done.out)] == [
        "one wall", "a", "b", "two walls", "three walls \u2028 here",
    ]  # fmt: skip
    assert "skipped 1 blank lines of stdin" in done.err
    assert "skipped 1 blank lines of 'l.txt'" in done.err


def test_a_stretch_of_a_clip(here: Path, vidprompter: Command) -> None:
    (one,) = json.loads(vidprompter("score", "c1.mp4", "x", "--start", "0.1", "--end", "0.4", "--json").out)
    assert (one["start"], one["end"]) == (0.1, 0.4)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 2, "no clip was given"),
        (["c1.mp4"], 2, "no caption was given for 'c1.mp4'"),
        (["nope.mp4", "x"], 2, "there is no clip 'nope.mp4'; check the path"),
        (["a dog runs", "x"], 2, "the clip comes first"),
        (["c1.mp4", "x", " "], 2, "caption 2 is empty"),
        (["c1.mp4", "c2.mp4"], 2, "caption 1 is the file 'c2.mp4'"),
        ([".", "x"], 2, "is a folder"),
        (["-", "x"], 2, "cannot come from stdin"),
        (["c1.mp4", "x", "--evaluator", "clop"], 2, "did you mean 'clip'?"),
        (["c1.mp4", "x", "--evaluator", "clip", "--evaluator", "clip"], 2, "named twice"),
        (["c1.mp4", "x", "--start", "2", "--end", "1"], 2, "--end 1 is not after --start 2"),
        (["--no-clip", "x", "--start", "2"], 2, "--start and --end are of a clip"),
        (["c1.mp4", "x", "--judge", "m", "--evaluator", "clip"], 2, "without --evaluator judge"),
        (["c1.mp4", "x", "--json", "--explain"], 2, "drop one"),
        (["c1.mp4", "x", "--out", "o.jsonl"], 2, "--out is for --captions"),
        (["c1.mp4", "x", "--by", "clip"], 2, "vidprompter rank"),
        (["c1.mp4", "x", "--from", "bad.bin"], 2, "bad.bin"),
        (["bad.mp4", "x"], 1, "bad.mp4"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(
    here: Path, vidprompter: Command, arguments: list[str], code: int, told: str
) -> None:
    (here / "bad.bin").write_bytes(b"\xff\xfe\x00")
    done = vidprompter("score", *arguments)
    assert done.code == code
    assert told in done.err
    assert done.out == ""
    assert done.err.count("\n") == 1


def test_rank_puts_the_best_first_with_margins(here: Path, vidprompter: Command) -> None:
    captions = ["x" * 40, "x" * 47, "x" * 10, "x" * 40]
    done = vidprompter("rank", "c2.mp4", *captions, "--evaluator", "clip", "--json")  # 48 wide
    assert done.code == 0, done.err
    answers = json.loads(done.out)
    assert [one["index"] for one in answers] == [1, 0, 3, 2]
    assert [one["rank"] for one in answers] == [1, 2, 2, 4]
    assert [one["margin"] for one in answers] == [7.0, 0.0, 30.0, None]
    assert set(answers[0]) == {*ScoreAnswer.__annotations__, *RankAnswer.__annotations__}
    table = vidprompter("rank", "c2.mp4", *captions, "--evaluator", "clip").out
    assert "ahead by" in table
    assert [line.split()[1] for line in table.splitlines()[3:]] == ["2", "1", "4", "3"]


def test_rank_needs_one_range_or_a_name(here: Path, vidprompter: Command) -> None:
    both = ["rank", "c2.mp4", "a b", "a", "--evaluator", "clip", "--evaluator", "rubric"]
    done = vidprompter(*both)
    assert done.code == 2
    assert "different ranges" in done.err
    assert "--by NAME" in done.err
    assert json.loads(vidprompter(*both, "--by", "rubric", "--json").out)[0]["caption"] == "a b"
    assert vidprompter(*both, "--by", "builtin").code == 2


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_any_text_is_a_caption(here: Path, texts: list[str]) -> None:
    texts = [text for text in texts if text != "-"] or ["x"]
    asked = asked_of(["c1.mp4", *texts], [], stdin=lambda: iter(()), command="score", has_clip=True)
    assert asked.captions == tuple(texts)
    with pytest.raises(InputError):
        asked_of(["c1.mp4", *texts, "\t"], [], stdin=lambda: iter(()), command="score", has_clip=True)


def test_requests_of_texts_alone_need_no_idea() -> None:
    assert request_for(None).short == NO_IDEA


def test_cells_show_as_many_digits_as_make_sense() -> None:
    assert [digits_of(EvaluatorIdentity("x", 0, high)) for high in (100, 10, 1)] == [1, 2, 3]
    assert cell(Score("clip", 31.24, 120, 43, (TRUNCATED,)), 1) == "31.2 (43 tokens not read)"
    assert cell(Score("clip", 31.24, 78, 1, (TRUNCATED,)), 1) == "31.2 (1 token not read)"
    assert cell(Score("rubric", None, flags=("language",)), 2) == "- (language)"


def test_details_of_any_kind_become_json() -> None:
    import numpy as np

    value = {"a": np.float32(1.5), 2: (np.int64(3), {"b"}), "p": Path("x"), "i": EvaluatorIdentity("c", 0, 1)}
    told = plain(value)
    assert json.loads(json.dumps(told))["a"] == 1.5
    assert told["2"] == [3, ["b"]]
    assert told["p"] == "x"
    assert told["i"]["name"] == "c"
