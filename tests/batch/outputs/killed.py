"""A run whose output is killed at the n-th step on the disk. `python -m tests.batch.outputs.killed KIND FOLDER`.

The ledger is a list of lines that is never torn; the output is a real one. Each session is a fork of this
process that ends by `os._exit` in front of an open for writing, a rename, a removal or a flush.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from batch.outputs.parquet import ParquetOutput
from batch.outputs.sidecars import SidecarOutput, beside
from batch.outputs.webdataset import TarOutput
from tests.batch.outputs.made import ListedRows, clips, failed, row
from vidprompter.runs.output import Output, Row

DIED = 9
_WATCHED = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}


def output_of(kind: str, folder: Path) -> Output:
    if kind == "parquet":
        return ParquetOutput(folder / "o.parquet", part_rows=2)
    if kind == "webdataset":
        return TarOutput(folder / "o.tar", part_rows=2)
    mode, state = kind, folder / "o.ledger.texts"
    return SidecarOutput(mode, beside, state=state)  # type: ignore[arg-type]


def script(folder: Path) -> list[tuple[str, list[Row] | list[int]]]:
    """What happens in the run, step by step."""
    found = [folder / "clips" / f"clip{number}.MP4" for number in range(1, 10)]
    rows = [failed(n, clip) if n == 4 else row(n, clip) for n, clip in enumerate(found, 1)]
    again = [row(20, found[1], prompt="Done again."), row(21, found[8], variant=0, prompt="Listed twice.")]
    return [
        ("put", rows[:3]),
        ("gone", [1]),
        ("put", rows[3:4]),
        ("put", rows[4:6]),
        ("finish", []),
        ("gone", [3, 5]),
        ("put", rows[6:]),
        ("take", [2, 6]),
        ("put", again),
        ("finish", []),
    ]


def session(kind: str, folder: Path) -> None:
    """Goes on where the ledger says that the last session ended."""
    book = folder / "ledger"
    done = [json.loads(line) for line in book.read_text().splitlines()] if book.exists() else []
    ledger, stale = ListedRows(), False
    steps = script(folder)
    number = 0
    for entry in done:
        if entry == "fresh":
            stale = False
            continue
        what, given = steps[number]
        number += 1
        stale = _apply(ledger, what, given) or stale

    def note(entry: str) -> None:
        with os.fdopen(os.open(book, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "w") as file:
            file.write(json.dumps(entry) + "\n")

    output = output_of(kind, folder)
    output.recover(ledger, stale=stale, say=_said)
    if stale:
        note("fresh")
    for what, given in steps[number:]:
        if what == "finish":
            output.finish(ledger)
        if what == "gone":  # their bytes have to be kept
            for seq in given:
                (folder / "clips" / f"clip{seq}.MP4").unlink(missing_ok=True)
        note(what)
        _apply(ledger, what, given)
        if what == "put":
            output.add([row for row in given if isinstance(row, Row)])
        elif what == "take":
            output.recover(ledger, stale=True, say=_said)
            note("fresh")
    output.close()


def _apply(ledger: ListedRows, what: str, given: list[Row] | list[int]) -> bool:
    if what == "put":
        ledger.put(*[row for row in given if isinstance(row, Row)])
    elif what == "take":
        ledger.take(*[seq for seq in given if isinstance(seq, int)])
    return what == "take"


def _said(line: str) -> None:
    assert "\n" not in line


def killed_at(step: int, kind: str, folder: Path) -> int:
    """The exit status of a session in a fork that dies at that step; 0 if it came to its end before."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = step

    def die(is_step: bool) -> None:
        nonlocal left
        left -= is_step
        if left == 0:
            os._exit(DIED)

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == "open":
            written = isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
            die(bool(written) and not str(args[0]).endswith("/ledger"))
        elif event in _WATCHED:
            die(True)

    flush = os.fsync
    sys.addaudithook(hook)
    os.fsync = lambda file: (die(True), flush(file))[1]  # type: ignore[assignment]
    try:
        session(kind, folder)
    except BaseException as error:
        print(f"step {step}: {error!r}", flush=True)
        os._exit(1)
    os._exit(0)


def contents(folder: Path) -> dict[str, str]:
    """What the user sees; of the ledger nothing."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "ledger" not in path.name
    }


def check_readable(folder: Path) -> None:
    """Every file that has its real name is whole."""
    for path in folder.rglob("*"):
        if path.name.startswith("."):
            continue
        if path.suffix == ".parquet":
            from pyarrow import parquet

            assert parquet.read_table(path).column_names
        elif path.suffix == ".tar":
            with tarfile.open(path, "r:") as tar:
                for member in tar:
                    file = tar.extractfile(member)
                    assert file is None or len(file.read()) == member.size
        elif path.suffix == ".txt":
            assert path.read_bytes().endswith(b"\n")


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    clips(folder / "clips", 9)
    for number in (1, 2):
        (folder / "clips" / f"clip{number}.txt").write_text(f"Old {number}\n")
    return folder


def main(kind: str, top: Path) -> int:
    """Kills at every step, and at a second random one; the number of steps."""
    if kind == "parquet":
        import pyarrow.parquet  # noqa: F401 - once, and not in every fork
    assert in_fork(lambda: session(kind, fresh(top / "run"))) == 0
    wanted = contents(top / "run")
    if kind == "webdataset":  # no video is lost with its clip
        with tarfile.open(top / "run" / "o.tar") as tar:
            assert len(tar.getnames()) == 3 * 8
    chance = random.Random(kind)
    step = 0
    while True:
        step += 1
        folder = fresh(top / "run")
        if killed_at(step, kind, folder) != DIED:
            break
        assert in_fork(lambda: check_readable(top / "run")) == 0, step
        second = chance.randint(1, 12)
        assert killed_at(second, kind, folder) in (0, DIED), (step, second)
        assert in_fork(lambda: check_readable(top / "run")) == 0, step
        assert in_fork(lambda: session(kind, top / "run")) == 0, step
        found = contents(folder)
        assert found == wanted, (step, second, found.keys() ^ wanted.keys())
    assert contents(folder) == wanted, "not killed at all"
    return step


def in_fork(work: Callable[[], None]) -> int:
    """Done in a process of its own: threads of libraries would not survive a fork."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        work()
    except BaseException as error:
        print(repr(error), flush=True)
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    steps = main(sys.argv[1], Path(sys.argv[2]))
    print(f"killed at {steps} steps")
