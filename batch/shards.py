"""Outputs of shards, and one output made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from batch.outputs.choose import view_of
from batch.outputs.names import shard_path
from vidprompter.errors import InputError
from vidprompter.runs.ledger import Ledger
from vidprompter.runs.lock import RunLock
from vidprompter.runs.run import Run, checked_output, forget, ledger_path

STAGE = "caption"
_NAME = re.compile(r"(?P<stem>.+)\.shard-(?P<number>\d+)-of-(?P<count>\d+)(?P<suffix>(\.[^.]+)?)")


def find_shards(output: Path) -> list[Path]:
    """The outputs of all shards of `output`, in order.

    Raises:
        InputError: none is there, some are missing, or there are those of two divisions.
    """
    found: dict[int, dict[int, Path]] = {}
    for ledger in output.absolute().parent.glob("*.ledger.sqlite"):
        path = ledger.with_name(ledger.name.removesuffix(".ledger.sqlite"))
        match = _NAME.fullmatch(path.name)
        if match and match["stem"] + match["suffix"] == output.name:
            found.setdefault(int(match["count"]), {})[int(match["number"])] = path
    if not found:
        first = shard_path(output, (0, 8)).name
        raise InputError(f"no shards of {str(output)!r} beside it; they are named like {first!r}")
    if len(found) > 1:
        counts = " and ".join(str(count) for count in sorted(found))
        raise InputError(f"there are shards of {counts} of {str(output)!r}; name those to merge after it")
    ((count, shards),) = found.items()
    missing = [str(number) for number in range(count) if number not in shards]
    if missing:
        raise InputError(
            f"of {count} shards of {str(output)!r} there is no {', '.join(missing)}; run it first"
        )
    return [shards[number] for number in range(count)]


@dataclass(frozen=True)
class Merged:
    """What came together. duplicates: items that stood in an earlier shard already, and were left out."""

    shards: int
    counts: dict[str, int]
    duplicates: int


def merge(output: Path, shards: Sequence[Path], *, partial: bool, fresh: bool) -> Merged:
    """Makes `output` and its ledger of the ledgers of `shards`, which stay as they are.

    partial: also where clips are left to do in some of them.

    Raises:
        InputError: `output` is there already, a shard has no ledger, is not done, or names other folders.
        RunError: a shard is being written, or the output cannot be.
    """
    real = checked_output(output)
    taken = [path for path in (real, ledger_path(real)) if path.exists()]
    if taken and not fresh:
        raise InputError(
            f"{str(taken[0])!r} is there already; give another name, or --fresh to write it anew"
        )
    with ExitStack() as stack:
        for shard in shards:
            if not ledger_path(shard).is_file():
                raise InputError(f"shard {str(shard)!r} has no ledger {ledger_path(shard).name!r} beside it")
            lock = RunLock(shard.with_name(shard.name + ".ledger.lock"))
            stack.callback(lock.release)
        _check(shards, partial)
        if taken:
            forget(real)
        ledger = Ledger(ledger_path(real))
        try:
            duplicates = sum(ledger.take_over(ledger_path(shard), STAGE) for shard in shards)
            counts = ledger.counts(STAGE)
        except BaseException:  # half a ledger would pass for a whole one
            ledger.close()
            forget(real)
            raise
        ledger.close()
        # The output is a view of the ledger: opening it brings it in step.
        with Run(real, stage=STAGE, say=lambda _: None, view=view_of) as run:
            run.complete()
    return Merged(len(shards), counts, duplicates)


def _check(shards: Sequence[Path], partial: bool) -> None:
    names: list[str] | None = None
    for shard in shards:
        ledger = Ledger(ledger_path(shard))
        try:
            left = ledger.counts(STAGE).get("pending", 0)
            folders = [Path(root).name for root in ledger.roots()]
        finally:
            ledger.close()
        if left and not partial:
            raise InputError(
                f"{str(shard)!r} has {left} clips left to do; run it again, or merge with --partial"
            )
        if names is not None and folders != names:
            raise InputError(
                f"{str(shard)!r} was made from the folders {folders}, the shard before it from {names}: "
                f"shards are parts of one list"
            )
        names = folders
