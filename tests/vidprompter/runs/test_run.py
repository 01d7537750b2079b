"""A run over one output: resume, changed files, retries, moved folders, damaged ledgers."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vidprompter.errors import InputError, LedgerError
from vidprompter.runs.fingerprint import fingerprint, unchanged
from vidprompter.runs.keys import ItemName
from vidprompter.runs.ledger import Finished, Ledger, Listed
from vidprompter.runs.run import Admitted, Candidate, Rules, Run, Verdict, ledger_path, peek


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


def judge(run: Run, items: list[Candidate], **rules: Any) -> list[Admitted]:
    run.begin({}, Rules(**rules))
    found = list(run.admit(items))
    run.settle()
    return found


def work(run: Run, items: list[Candidate], *, fail: str = "", retry_failed: bool = False) -> list[Verdict]:
    """Does what is to do; those with `fail` in their path fail."""
    found = judge(run, items, retry_failed=retry_failed)
    paths = {item.key: candidate.path for candidate, item in zip(items, found, strict=True)}
    for key, *_ in run.pending():
        path = paths[key]
        broken = bool(fail) and fail in path
        content = Path(path).read_text() if Path(path).exists() else None
        row = json.dumps({"path": path, "content": content, "ok": not broken})
        error = "Broken" if broken else None
        status: Any = "failed" if broken else "done"
        run.finish([Finished(key, status, row, 0.1, error_type=error, fingerprint=fingerprint(path))])
    run.complete()
    return [item.verdict for item in found]


def rows_of(output: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_a_second_run_does_nothing_again(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    items = candidates(*make(tmp_path / "c", "a", "b"))
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, items) == ["new", "new"]
    before = output.read_bytes()
    assert [item.verdict for item in peek(output, items, stage="s", rules=Rules())] == ["done", "done"]
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
        (item,) = judge(run, candidates(paths[0]))
        run.ledger.put("s", 1, [Listed(item.key, "a", 1, "")], again=[item.key])  # and the process dies here
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


def test_a_file_cut_into_stretches_is_expanded_from_the_ledger(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    (path,) = make(tmp_path / "c", "film")
    whole = Candidate(str(path), str(path.parent), ItemName(0, "", settings='{"every":2.0}'))

    def parts(key: str) -> list[Candidate]:
        names = [ItemName(0, "", start=float(s), end=float(s + 2)) for s in (0, 2, 4)]
        return [whole._replace(name=name, parent=key) for name in names]

    with Run(output, stage="s", say=quiet) as run:
        (item,) = judge(run, [whole])
        assert item.verdict == "new"
        assert [key for key, *_ in run.pending()] == [item.key]
        found = run.split(item.key, "[0,2,4]", fingerprint(str(path)), parts(item.key))
        assert [part.verdict for part in found] == ["new"] * 3
        assert list(run.pending()) == []  # they were handed over
        run.finish([Finished(found[0].key, "done", "{}", 0.1, fingerprint=fingerprint(str(path)))])
    with Run(output, stage="s", say=quiet) as run:  # killed there
        (item,) = judge(run, [whole])
        assert (item.verdict, item.stretches) == ("split", "[0,2,4]")
        assert [part.verdict for part in run.admit(parts(item.key))] == ["done", "new", "new"]
        assert len(list(run.pending())) == 2
    path.write_text("another film")
    with Run(output, stage="s", say=quiet) as run:
        (item,) = judge(run, [whole])
        assert item.verdict == "changed"
        assert rows_of(output) == []
        assert run.ledger.counts("s") == {"pending": 1}


def test_shards_share_the_work(tmp_path: Path) -> None:
    items = candidates(*make(tmp_path / "c", *(f"f{number}" for number in range(20))))
    mine: list[str] = []
    for number in range(3):
        with Run(tmp_path / f"o{number}.jsonl", stage="s", say=quiet) as run:
            found = judge(run, items, shard=(number, 3))
            assert {item.verdict for item in found} == {"new", "elsewhere"}
            mine += [item.relative for item in found if item.verdict == "new"]
    assert sorted(mine) == sorted(f"f{number}" for number in range(20))


def test_a_whole_digest_sees_what_samples_miss(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(bytes(1 << 20))
    sampled, whole = fingerprint(str(path)), fingerprint(str(path), whole=True)
    data = bytearray(1 << 20)
    data[5000] = 1  # between two samples
    path.write_bytes(data)
    assert unchanged(str(path), sampled)
    assert not unchanged(str(path), whole)
    path.write_bytes(bytes(1 << 20))
    assert unchanged(str(path), whole, whole=True)


def test_a_ledger_of_version_1_is_taken_over(tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    items = candidates(*make(tmp_path / "c", "a", "b"))
    with Run(output, stage="s", say=quiet) as run:
        work(run, items, fail="/b")
    before = rows_of(output)
    _downgrade(ledger_path(output))
    with Run(output, stage="s", say=quiet) as run:
        assert work(run, items) == ["done", "failed"]
        assert work(run, items, retry_failed=True) == ["done", "retry"]
    assert rows_of(output) == [before[0], {**before[1], "ok": True}]


VERSION_1 = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE roots (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
CREATE TABLE runs (id INTEGER PRIMARY KEY, stage TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL,
    outcome TEXT, settings TEXT NOT NULL, summary TEXT);
CREATE TABLE items (key TEXT NOT NULL, stage TEXT NOT NULL, name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0, error_type TEXT, error_message TEXT, fingerprint TEXT, revision TEXT,
    started_at REAL, finished_at REAL, seconds REAL, seq INTEGER, row TEXT, PRIMARY KEY (key, stage)
) WITHOUT ROWID;
CREATE UNIQUE INDEX items_in_output_order ON items (stage, seq) WHERE seq IS NOT NULL;
CREATE INDEX items_by_status ON items (stage, status);
"""


def _downgrade(place: Path) -> None:
    """The same content in the tables of version 1."""
    old = sqlite3.connect(place)
    copy = sqlite3.connect(f"{place}.1")
    copy.executescript(VERSION_1 + "PRAGMA user_version=1;")
    for table in ("meta", "roots", "runs"):
        for values in old.execute(f"SELECT * FROM {table}"):
            copy.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(values))})", values)
    columns = "key, stage, name, status, attempts, error_type, fingerprint, finished_at, seconds, seq"
    query = f"SELECT {columns.replace('stage', 'items.stage').replace('seq', 'items.seq')}, row FROM items JOIN rows USING (seq)"
    for values in old.execute(query):
        copy.execute(f"INSERT INTO items ({columns}, row) VALUES ({','.join('?' * 11)})", values)
    copy.commit()
    copy.close()
    old.close()
    Path(f"{place}.1").replace(place)
