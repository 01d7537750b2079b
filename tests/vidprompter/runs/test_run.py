"""A run over one output: resume, changed files, retries, moved folders, damaged ledgers."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from vidprompter.errors import InputError, LedgerError
from vidprompter.runs.fingerprint import fingerprint
from vidprompter.runs.keys import ItemName
from vidprompter.runs.ledger import Finished, Ledger
from vidprompter.runs.run import Candidate, Run, Verdict, ledger_path, peek


def quiet(_: str) -> None:
    pass


def candidates(*paths: Path, root: Path | None = None) -> list[Candidate]:
    return [Candidate(str(path), str(root or path.parent), ItemName(0, "")) for path in paths]


def make(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in names]
    for path in paths:
        path.write_text(path.name)
    return paths


def work(run: Run, items: list[Candidate], *, fail: str = "", retry_failed: bool = False) -> list[Verdict]:
    """Does what is to do; those with `fail` in their path fail."""
    verdicts: list[Verdict] = []
    todo = []
    for candidate, item in zip(items, list(run.admit(items, retry_failed=retry_failed)), strict=True):
        verdicts.append(item.verdict)
        if item.verdict not in ("done", "failed"):
            todo.append((candidate.path, item.key))
    run.start([(key, fingerprint(path)) for path, key in todo])
    for path, key in todo:
        broken = bool(fail) and fail in path
        content = Path(path).read_text() if Path(path).exists() else None
        row = json.dumps({"path": path, "content": content, "ok": not broken})
        error = "Broken" if broken else None
        run.finish([Finished(key, "failed" if broken else "done", row, 0.1, error_type=error)])
    return verdicts


def rows_of(output: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_a_second_run_does_nothing_again(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    items = candidates(*make(tmp_path / "c", "a", "b"))
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, items) == ["new", "new"]
    before = output.read_bytes()
    assert [item.verdict for item in peek(output, items, stage="s", retry_failed=False)] == ["done", "done"]
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, items) == ["done", "done"]
    assert output.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "o.jsonl", "o.jsonl.ledger.sqlite"]


def test_a_changed_file_is_redone_and_its_row_replaced(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    paths = make(tmp_path / "c", "a", "b", "d")
    with Run(output, stage="s", say=quiet) as run:
        work(run, candidates(*paths))
    paths[1].write_text("another b")
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, candidates(*paths)) == ["done", "changed", "done"]
    assert [row["content"] for row in rows_of(output)] == ["a", "d", "another b"]


def test_failed_items_wait_for_retry_failed_or_for_another_file(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    paths = make(tmp_path / "c", "a", "b", "d")
    with Run(output, stage="s", say=quiet) as run:
        work(run, candidates(*paths), fail="/b")
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, candidates(*paths)) == ["done", "failed", "done"]
        assert list(run.ledger.failures("s")) == ["Broken"]
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, candidates(*paths), retry_failed=True) == ["done", "retry", "done"]
        assert run.ledger.counts("s") == {"done": 3}
    assert [row["ok"] for row in rows_of(output)] == [True, True, True]
    with Run(output, stage="s", fresh=True, say=quiet) as run:
        work(run, candidates(*paths), fail="/b")
    paths[1].write_text("repaired")
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, candidates(*paths)) == ["done", "changed", "done"]


def test_a_vanished_file_keeps_its_row(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    paths = make(tmp_path / "c", "a")
    with Run(output, stage="s", say=quiet) as run:
        work(run, candidates(*paths))
    paths[0].unlink()
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, candidates(*paths)) == ["done"]
    assert len(rows_of(output)) == 1


def test_equal_items_keep_their_own_rows(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    (path,) = make(tmp_path / "c", "a")
    for expected in (["new"] * 3, ["done"] * 3):
        with Run(output, stage="s", say=quiet) as run:
            assert work(run, candidates(path, path, path)) == expected
    assert len(rows_of(output)) == 3


def test_equal_names_in_two_folders_are_two_items(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    one, two = make(tmp_path / "one", "a"), make(tmp_path / "two", "a")
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, candidates(*one)) == ["new"]
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, candidates(*two)) == ["new"]
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, candidates(*two, *one)) == ["done", "done"]
    assert len(rows_of(output)) == 2


def test_a_clip_has_one_name_however_it_was_given(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    (path,) = make(tmp_path / "c" / "deep", "a")
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, candidates(path, root=tmp_path / "c")) == ["new"]
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, candidates(path)) == ["done"]


def test_an_item_outside_its_root_keeps_its_name(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    make(tmp_path, "x")
    for expected in (["new", "new"], ["done", "done"]):
        with Run(output, stage="s", say=quiet) as run:
            items = candidates(*make(tmp_path / "c", "a"), tmp_path / "x", root=tmp_path / "c")
            assert work(run, items) == expected


def test_a_moved_collection_is_found_again(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    make(tmp_path / "old" / "clips", "a", "b")
    with Run(output, stage="s", say=quiet) as run:
        work(run, candidates(*sorted((tmp_path / "old" / "clips").iterdir())))
    (tmp_path / "old").rename(tmp_path / "new")
    said: list[str] = []
    with Run(output, stage="s", say=said.append) as run:
        moved = candidates(*sorted((tmp_path / "new" / "clips").iterdir()))
        assert work(run, moved) == ["done", "done"]
    assert len(said) == 1
    assert "is gone" in said[0]


def test_a_crash_between_ledger_and_output_is_repaired(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    items = candidates(*make(tmp_path / "c", "a", "b"))
    with Run(output, stage="s", say=quiet) as run:
        work(run, items)
    whole = output.read_bytes()
    output.write_bytes(whole[:-30])
    said: list[str] = []
    with Run(output, stage="s", say=said.append) as run:
        assert work(run, items) == ["done", "done"]
    assert output.read_bytes() == whole
    assert any("half-written" in line for line in said)


def test_a_crash_before_the_rewrite_is_repaired_without_a_backup(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    paths = make(tmp_path / "c", "a", "b")
    with Run(output, stage="s", say=quiet) as run:
        work(run, candidates(*paths))
        key = next(iter(run.admit(candidates(paths[0]), retry_failed=False))).key
        run.ledger.reopen("s", [key])  # and the process dies here
        assert len(rows_of(output)) == 2
    with Run(output, stage="s", say=quiet) as run:
        assert [row["content"] for row in rows_of(output)] == ["b"]
        assert work(run, candidates(*paths)) == ["new", "done"]
    assert not list(tmp_path.glob("*.bak*"))


def test_an_edited_output_is_put_aside(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    items = candidates(*make(tmp_path / "c", "a"))
    with Run(output, stage="s", say=quiet) as run:
        work(run, items)
    whole = output.read_bytes()
    output.write_bytes(b'{"mine": 1}\n')
    said: list[str] = []
    with Run(output, stage="s", say=said.append):
        pass
    assert output.read_bytes() == whole
    assert (tmp_path / "o.jsonl.bak").read_bytes() == b'{"mine": 1}\n'
    assert "o.jsonl.bak" in said[0]


def test_an_output_without_a_ledger_is_not_touched(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    output.write_text('{"a": 1}\n')
    with pytest.raises(InputError, match="--fresh"):
        Run(output, stage="s", say=quiet)
    assert output.read_text() == '{"a": 1}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["o.jsonl"]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    program = (
        "import sys; from pathlib import Path; from vidprompter.errors import LedgerError\n"
        "from vidprompter.runs.run import Run\n"
        "try: Run(Path(sys.argv[1]), stage='s', say=print)\n"
        "except LedgerError as error: print(error)"
    )
    with Run(output, stage="s", say=quiet):
        done = subprocess.run([sys.executable, "-c", program, str(output)], capture_output=True, text=True)
        assert "another run is writing this output" in done.stdout
    with Run(output, stage="s", say=quiet):
        pass


@pytest.mark.parametrize("content", [b"not a database at all" * 100, None])
def test_a_damaged_or_foreign_ledger_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    output = tmp_path / "o.jsonl"
    place = ledger_path(output)
    if content is not None:
        place.write_bytes(content)
    else:
        database = sqlite3.connect(place)
        database.execute("PRAGMA user_version=99")
        database.execute("CREATE TABLE t (a)")
        database.commit()
        database.close()
    with pytest.raises(LedgerError, match="--fresh"):
        Run(output, stage="s", say=quiet)
    with Run(output, stage="s", fresh=True, say=quiet) as run:
        assert run.ledger.counts("s") == {}


@pytest.mark.parametrize("where", ["no/o.jsonl", "folder"])
def test_an_impossible_output_is_a_usage_error(tmp_path: Path, where: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError):
        Run(tmp_path / where, stage="s", say=quiet)


def test_nothing_is_finished_that_was_never_added(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite")
    with pytest.raises(LedgerError, match="never added"):
        ledger.finish("s", [Finished("k", "done", "{}", 0.0)])
    assert list(ledger.rows("s")) == []
    ledger.close()
