"""Scene sheets from the command line: each clip measured in a worker process, under a time limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vidprompter.errors import InputError, ModelError, VidPrompterError
from vidprompter.sheet.types import SceneSheet


@dataclass(frozen=True)
class SheetResult:
    """What became of one clip: a sheet, or the error."""

    path: Path
    sheet: SceneSheet | None
    error: VidPrompterError | None


def _measure(path: Path, *, start: float | None, end: float | None) -> SceneSheet:
    from vidprompter.sheet.measure import measure_sheet

    return measure_sheet(path, start=start, end=end)


def measure_all(
    paths: Sequence[Path], *, start: float | None, end: float | None, workers: int, decode_timeout: float
) -> Iterator[SheetResult]:
    """A result per path, in their order; a clip that cannot be read costs its own result alone.

    Raises:
        InputError: `end` is not after `start`.
        ModelError: the weights are missing or damaged.
    """
    if start is not None and end is not None and end <= start:
        raise InputError(f"--end {end} is not after --start {start}; give a later end")
    from vidprompter.video.workers import WorkerPool

    results: dict[int, SheetResult] = {}
    function = partial(_measure_numbered, start=start, end=end)
    with WorkerPool(function, workers=min(workers, len(paths)), timeout_seconds=decode_timeout) as pool:
        following = 0
        for outcome in pool.map(list(enumerate(paths))):
            number, path = outcome.item
            if isinstance(outcome.error, ModelError):
                raise outcome.error  # not the clip's fault
            results[number] = SheetResult(path, outcome.value, outcome.error)
            while following in results:
                yield results.pop(following)
                following += 1


def _measure_numbered(item: tuple[int, Path], *, start: float | None, end: float | None) -> SceneSheet:
    return _measure(item[1], start=start, end=end)
