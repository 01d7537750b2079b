"""The candidates of each clip in order: made of a ledger's scored rows, on disk, whatever their number."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from batch.score.fields import RankColumns
from batch.score.jobs import ScoreSettings, digest_of
from batch.score.views import Again
from scoring.ranking import rank
from vidprompter.errors import OutputError
from vidprompter.runs.output import Rows
from vidprompter.scores import Score, Scored


@dataclass
class RankTally:
    """clips, candidates: that were ranked. written: rows; left_out: by --keep. unscored: rows without a number."""

    clips: int = 0
    candidates: int = 0
    written: int = 0
    left_out: int = 0
    unscored: int = 0
    margins: list[float] = field(
        default_factory=lambda: [0.0, 0.0]
    )  # sum and count: of the best over the second

    def to_json(self) -> dict[str, Any]:
        """With their documented names."""
        total, count = self.margins
        return {
            "clips": self.clips,
            "candidates": self.candidates,
            "written": self.written,
            "left_out": self.left_out,
            "without_score": self.unscored,
            "mean_margin": total / count if count else None,
        }


class Ranking:
    """Knows which rows are asked for now, and puts them in order: clips as they came, of each the best first.

    Rows that the ledger has of earlier runs, with other evaluators or texts, are no candidates.
    """

    def __init__(self, settings: ScoreSettings, key: str, keep: int | None) -> None:
        """key: what is ranked by, of `ranking_key`. keep: candidates of each clip, None for all."""
        self._settings = settings
        self._key = key
        self._keep = keep
        self.tally = RankTally()
        self._count = 0
        # On disk, if it has to be: memory must not grow with the rows.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("CREATE TABLE wanted (digest TEXT PRIMARY KEY, place INTEGER) WITHOUT ROWID")

    def want(self, row: dict[str, Any]) -> None:
        """This row is a candidate."""
        self._count += 1
        with _on_disk():
            self._db.execute("INSERT OR IGNORE INTO wanted VALUES (?, ?)", (digest_of(row), self._count))

    @contextmanager
    def arrange(self, rows: Rows) -> Iterator[Again]:
        """The rows with their ranks, as often as they are asked for; see `views.Arrange`."""
        with _on_disk():
            self._db.execute("DROP TABLE IF EXISTS rows")
            self._db.execute("CREATE TABLE rows (clip TEXT, place INTEGER, row TEXT)")
            self._db.execute("BEGIN")
            for row in rows.after(0):
                told = json.loads(row.text)
                if told["evaluators"] != self._settings.told:
                    continue
                query = "SELECT place FROM wanted WHERE digest=?"
                found = self._db.execute(query, (digest_of(told),)).fetchone()
                if found is not None:
                    values = (self._clip_of(told), found[0], row.text)
                    self._db.execute("INSERT INTO rows VALUES (?, ?, ?)", values)
            self._db.execute("COMMIT")
            self._db.execute("CREATE INDEX by_clip ON rows (clip, place)")
            self._db.execute("DROP TABLE IF EXISTS clips")
            self._db.execute("CREATE TABLE clips AS SELECT clip, min(place) AS first FROM rows GROUP BY clip")
        yield self._ordered

    def close(self) -> None:
        """Forgets all rows."""
        self._db.close()

    def _ordered(self) -> Iterator[dict[str, Any]]:
        self.tally = RankTally()
        query = "SELECT c.first, r.row FROM clips c JOIN rows r ON r.clip IS c.clip ORDER BY c.first, r.place, r.rowid"
        with _on_disk():
            for _, group in groupby(self._db.execute(query), key=lambda found: found[0]):
                yield from self._ranked([json.loads(text) for _, text in group])

    def _ranked(self, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The candidates of one clip, the best first; those that are left out are counted."""
        places = rank([scored_of(row, self._settings) for row in rows], self._key)
        tally = self.tally
        tally.clips += 1
        tally.candidates += len(rows)
        if places[0].margin is not None:
            tally.margins[0] += places[0].margin
            tally.margins[1] += 1
        for position, place in enumerate(places, 1):
            has_score = place.value is not None
            tally.unscored += not has_score
            if self._keep is not None and (position > self._keep or not has_score):
                tally.left_out += 1
                continue
            tally.written += 1
            columns: RankColumns = {
                "rank": place.rank if has_score else None,
                "rank_value": place.value,
                "margin": place.margin,
            }
            yield {**rows[place.index], **columns}

    def _clip_of(self, row: dict[str, Any]) -> str:
        """What candidates compete for: a stretch of a clip; or, of texts without one, a short prompt."""
        path = row.get(self._settings.path_column)
        if path:
            return json.dumps(["clip", path, row.get("start"), row.get("end")])
        return json.dumps(["short", row.get("short")])


def scored_of(row: dict[str, Any], settings: ScoreSettings) -> Scored:
    """The scores of a row as evaluators give them, for ranking."""
    scores = tuple(Score(name, row["scores"].get(name)) for name in settings.names)
    return Scored(row.get(settings.text_column) or "", scores, row["mean"])


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(
            f"the folder for temporary files cannot be written ({error}); make room or set TMPDIR"
        ) from error
