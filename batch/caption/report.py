"""What became of a run: counts that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from batch.caption.rows import CaptionRow
from vidprompter.runs.judge import Admitted

DONE_EARLIER = "done by an earlier run"
HAS_SIDECAR = "has a text file already"


@dataclass
class Tally:
    """Counts of clips; `given` = done + failed + skipped + left, always.

    done: written by this run. skipped: by reason, such as done by an earlier run. failed: by error type, of
    this run and kept from earlier ones (`failed_earlier`). left: not reached.
    """

    given: int = 0
    done: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failed_earlier: int = 0
    changed: int = 0
    retried: int = 0
    noun: str = "clips"
    flags: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock, repr=False)  # files are cut in another thread

    def grow(self, count: int) -> None:
        """There are `count` clips more than was known."""
        with self._lock:
            self.given += count

    def admit(self, item: Admitted) -> bool:
        """Whether a clip is to be done; the others are counted. `given` is the caller's to count."""
        with self._lock:
            if item.verdict == "done":
                self.skipped[DONE_EARLIER] += 1
            elif item.verdict == "left out":
                self.skipped[HAS_SIDECAR] += 1
            elif item.verdict == "failed":
                self.failed[item.error_type or "unknown"] += 1
                self.failed_earlier += 1
            else:
                self.changed += item.verdict == "changed"
                self.retried += item.verdict == "retry"
                return True
            return False

    def count(self, row: CaptionRow) -> None:
        """Adds a row of this run."""
        self.ended(row["error"]["type"] if row["error"] is not None else None, row["flags"])

    def ended(self, error: str | None, flags: Iterable[str] = ()) -> None:
        """One came to its end in this run. error: its type, None where it is done."""
        with self._lock:
            if error is not None:
                self.failed[error] += 1
            else:
                self.done += 1
                self.flags.update(flags)

    @property
    def failed_total(self) -> int:
        """Failed clips, whenever."""
        return sum(self.failed.values())

    @property
    def skipped_total(self) -> int:
        """Clips that there was no need to do."""
        return sum(self.skipped.values())

    @property
    def left(self) -> int:
        """Clips that were not reached."""
        return self.given - self.done - self.skipped_total - self.failed_total

    def to_json(self) -> dict[str, Any]:
        """The summary with its documented field names."""
        return {
            "in": self.given,
            "done": self.done,
            "skipped": self.skipped_total,
            "failed": self.failed_total,
            "left": self.left,
            "failed_earlier": self.failed_earlier,
            "changed": self.changed,
            "retried": self.retried,
            "failed_by_reason": dict(self.failed.most_common()),
            "skipped_by_reason": dict(self.skipped.most_common()),
            "flags": dict(self.flags.most_common()),
        }

    def lines(self) -> list[str]:
        """The summary for people, one figure a line."""
        rows = [(self.noun, self.given, ""), ("done", self.done, _redone(self.changed, self.retried))]
        rows += [("skipped", count, why) for why, count in self.skipped.most_common()]
        kept = (
            f"{self.failed_earlier} of them earlier; --retry-failed tries again"
            if self.failed_earlier
            else ""
        )
        rows.append(("failed", self.failed_total, kept))
        rows += [(f"  {kind}", count, "") for kind, count in self.failed.most_common()]
        if self.left:
            rows.append(("left", self.left, ""))
        width = max(len(name) for name, _, _ in rows)
        return [f"{name:<{width}}  {count:>6}  {note}".rstrip() for name, count, note in rows]


def _redone(changed: int, retried: int) -> str:
    notes = []
    if changed:
        notes.append(f"{changed} files had changed")
    if retried:
        notes.append(f"{retried} failures were tried again")
    return ", ".join(notes)
