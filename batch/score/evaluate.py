"""`eval captions` without its command line: a folder of captions by several models, scored and compared."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from batch.caption.run import Talk
from batch.cli import EXIT_FAILED, EXIT_INTERRUPTED
from batch.score.compare import Comparison, Model, compare, task_of_row
from batch.score.flow import batch_clips_for
from batch.score.jobs import ScoreSettings, digest_of
from batch.score.run import ScoreOptions, ScoreRun, check_columns
from batch.score.tables import FORMATS, Numbered, read_rows
from scoring.names import EvaluatorOptions, parse_names
from vidprompter.errors import InputError
from vidprompter.runs.rowfile import RowFile
from vidprompter.scores import Evaluator, EvaluatorIdentity
from vidprompter.video.files import show

OF_TEXTS = ("rubric", "judge")
"""Evaluators that look at no clip; the judge is asked about task 3 alone, as in the paper."""
MODEL = "eval_model"
"""The column that says whose a row is, in the file of all models' scores."""
_NOT_ROWS = (".summary.json",)
_SCORED = ".scored"
Make = Callable[[Sequence[str], EvaluatorOptions, Callable[[str], None]], Evaluator]


@dataclass(frozen=True)
class EvalOptions:
    """folder: of the files of captions. out: where tables, plot and scores go, None for nowhere."""

    folder: Path
    names: tuple[str, ...]
    evaluators: EvaluatorOptions
    out: Path | None = None
    root: Path | None = None
    text_column: str = "prompt"
    path_column: str = "path"
    resamples: int = 10_000
    seed: int = 0
    retry_failed: bool = False


@dataclass(frozen=True)
class _Part:
    """Evaluators with the tasks that they are asked about."""

    word: str
    tasks: frozenset[int]
    evaluator: Evaluator


@dataclass
class Evaluation:
    """One call of `eval captions`. make: `scoring.names.make_evaluator`."""

    options: EvalOptions
    make: Make
    talk: Talk
    comparison: Comparison | None = None
    failed: bool = False
    _identities: dict[str, EvaluatorIdentity] = field(default_factory=dict)

    def execute(self) -> int:
        """The exit code: 0 all scored, 1 some captions failed, 130 interrupted (then there is no comparison).

        Raises:
            InputError: the folder holds no files of captions, or two of one model.
            VidPrompterError: a run cannot start or go on; with --out, what was finished is kept.
        """
        files = model_files(self.options.folder, self.talk.say)
        models = {name: Model(name) for name in files}
        with ExitStack() as stack:
            parts = self._parts(stack)
            there = {name: self._tasks(path) for name, path in files.items()}
            home = self.options.out
            scores = Path(stack.enter_context(TemporaryDirectory())) if home is None else home / "scores"
            scores.mkdir(parents=True, exist_ok=True)
            for part in parts:
                its = {name: path for name, path in files.items() if there[name] & part.tasks}
                if its and self._score(models, its, part, scores) == EXIT_INTERRUPTED:
                    return EXIT_INTERRUPTED
            self._tell_unscored(there, frozenset[int]().union(*(part.tasks for part in parts)))
        self.comparison = compare(
            list(models.values()),
            list(self._identities.values()),
            resamples=self.options.resamples,
            seed=self.options.seed,
        )
        if not self.comparison.columns:
            raise InputError(
                f"no caption in {show(self.options.folder)} has a score; {'; '.join(self.comparison.notes) or 'see above'}"
            )
        return EXIT_FAILED if self.failed else 0

    def _parts(self, stack: ExitStack) -> list[_Part]:
        """Evaluators of clips for tasks 1 and 2, of texts for task 3; the rubric is asked about all."""
        asked = self.options.names
        names = [one.name for one in parse_names(asked)]  # a wrong name is said before anything is made
        of_clips = [text for text in asked if text != "judge"]
        of_texts = [text for text in asked if text in OF_TEXTS]
        parts = []
        for word, tasks, chosen in (("clips", {1, 2}, of_clips), ("texts", {3}, of_texts)):
            if chosen:
                evaluator = self.make(chosen, self.options.evaluators, self.talk.say)
                stack.callback(evaluator.close)
                parts.append(_Part(word, frozenset(tasks), evaluator))
                self._identities |= {one.name: one for one in evaluator.identities}
        self._identities = {name: self._identities[name] for name in names}
        return parts

    def _tell_unscored(self, there: Mapping[str, set[int]], scored: frozenset[int]) -> None:
        for name, tasks in there.items():
            for task in sorted(tasks - scored):
                lacking = "--judge MODEL or --evaluator rubric" if task == 3 else "an evaluator of clips"
                self.talk.say(
                    f"{name} has captions of task {task}, which nobody was asked to score; name {lacking}"
                )

    def _score(
        self, models: Mapping[str, Model], files: Mapping[str, Path], part: _Part, scores: Path
    ) -> int:
        """The exit code; the scored rows are added to their models."""
        options = self.options
        settings = ScoreSettings(
            part.evaluator.identities, options.text_column, options.path_column, reuse=True
        )
        wanted: set[bytes] = set()
        out = scores / f"{part.word}.jsonl"
        root = options.root or options.folder
        run = ScoreRun(
            settings,
            ScoreOptions(
                options.folder,
                root,
                out,
                RowFile,
                retry_failed=options.retry_failed,
                is_quiet=True,
                tells_others=False,
                is_kept=options.out is not None,
                batch_clips=batch_clips_for(settings.names, options.evaluators),
            ),
            part.evaluator,
            self.talk,
            admitted=lambda row: wanted.add(bytes.fromhex(digest_of(row))),
        )
        tasks = ", ".join(map(str, sorted(part.tasks)))
        self.talk.say(f"task {tasks}: {', '.join(settings.names)} on {', '.join(files)}")
        code = run.execute(interleaved([self._rows(*one, part.tasks, settings) for one in files.items()]))
        self.failed |= code == EXIT_FAILED
        if code == EXIT_INTERRUPTED:
            return code
        for _, row, _ in read_rows(out):
            if row["evaluators"] == settings.told and bytes.fromhex(digest_of(row)) in wanted:
                models[row[MODEL]].add(row, self._clip_of(row, root), self._task(row), settings.names)
        return code

    def _rows(
        self, name: str, path: Path, tasks: frozenset[int], settings: ScoreSettings
    ) -> Iterator[Numbered]:
        """The rows of these tasks in one model's file, marked with its name."""
        is_first = True
        for found in read_rows(path):
            if self._task(found.row) in tasks:
                if is_first:
                    check_columns(found, show(path), settings)
                is_first = False
                yield Numbered(found.number, {**found.row, MODEL: name}, show(path))

    def _tasks(self, path: Path) -> set[int]:
        found = set()
        for _, row, _ in read_rows(path):
            found.add(self._task(row))
            if len(found) == 3:
                break
        if not found:
            self.talk.say(f"{show(path)} has no rows")
        return found

    def _task(self, row: dict[str, Any]) -> int:
        return task_of_row(row, self.options.path_column)

    def _clip_of(self, row: dict[str, Any], root: Path) -> str:
        """What makes captions of two models captions of the same thing."""
        path = row.get(self.options.path_column)
        if path:
            place = os.path.normpath(os.path.join(os.path.abspath(root), path))  # noqa: PTH100, PTH118
            return f"{place}\0{_seconds(row.get('start'))}\0{_seconds(row.get('end'))}"
        return " ".join(str(row.get("short") or "").split())


def interleaved(streams: Sequence[Iterator[Numbered]]) -> Iterator[Numbered]:
    """A row of each in turn: models that wrote about the same clips in the same order have them looked at once."""
    left = list(streams)
    while left:
        for stream in list(left):
            row = next(stream, None)
            if row is None:
                left.remove(stream)
            else:
                yield row


def model_files(folder: Path, say: Callable[[str], None]) -> dict[str, Path]:
    """Model -> its file of captions, by name. A file of `score` stands for the one that it was made from.

    Raises:
        InputError: there is none, or two of one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in FORMATS or path.name.startswith(".") or not path.is_file():
            continue
        if path.name.endswith(_NOT_ROWS):
            continue
        name = path.stem.removesuffix(_SCORED)
        before = found.get(name)
        if before is not None:
            raw, scored = sorted((before, path), key=lambda one: one.stem.endswith(_SCORED))
            if raw.stem.endswith(_SCORED) or not scored.stem.endswith(_SCORED):
                raise InputError(
                    f"{show(before)} and {show(path)} would both be the model {name!r}; take one away, or rename it"
                )
            say(f"{scored.name} is used in place of {raw.name}")
            if scored.stat().st_mtime < raw.stat().st_mtime:
                say(f"{raw.name} is newer than {scored.name}; score it again if it has changed")
            path = scored
        found[name] = path
    if not found:
        raise InputError(
            f"{show(folder)} holds no files of captions; put one for each model into it, such as mymodel.jsonl"
        )
    return dict(sorted(found.items()))


@contextmanager
def prepared_folder(out: Path | None, folder: Path) -> Iterator[None]:
    """While entered, `out` is a folder that can be written into.

    Raises:
        InputError: it is the folder of the captions, or no folder.
    """
    if out is not None:
        if out.resolve() == folder.resolve():
            raise InputError(f"--out {show(out)} is the folder of the captions; name another, or one in it")
        if out.exists() and not out.is_dir():
            raise InputError(f"--out {show(out)} is a file; name a folder")
        if not out.absolute().parent.is_dir():
            raise InputError(f"the folder of --out {show(out)} does not exist; make it first")
        out.mkdir(exist_ok=True)
    yield


def write_tables(comparison: Comparison, out: Path) -> list[Path]:
    """`table.md`, `table.csv`, `table.json`, `plot.png` and `plot.svg` in `out`.

    Raises:
        OutputError: one cannot be written.
    """
    import json

    from batch.outputs.whole import write_whole
    from batch.score.eval_tables import csv_text, markdown
    from batch.score.plot import plot

    texts = {
        "table.md": markdown(comparison),
        "table.csv": csv_text(comparison),
        "table.json": json.dumps(comparison.to_json(), ensure_ascii=False, indent=1) + "\n",
    }
    for name, text in texts.items():
        data = text.encode("utf-8", "backslashreplace")
        write_whole(out / name, lambda file, data=data: file.write(data))  # type: ignore[misc]
    return [*(out / name for name in texts), *plot(comparison, out)]


def _seconds(value: Any) -> str:
    return "" if value is None or value == "" else repr(float(value))
