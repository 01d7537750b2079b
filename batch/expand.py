"""`vidprompter expand` without its command line: ideas in, detailed prompts out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from batch.caption.rows import ExpandRow, add_where_asked, error_field
from batch.cli import EXIT_FAILED, EXIT_INTERRUPTED
from batch.inputs.sidecar import checked_short
from batch.writers import WriterSource
from vidprompter.engines.options import EngineOptions, asked_fields
from vidprompter.engines.protocol import PromptWriter, Reports, WriterIdentity
from vidprompter.errors import GenerationError, InputError, VidPrompterError
from vidprompter.tasks import Prompt, Request, Sampling, Task, Wording


@dataclass(frozen=True)
class ExpandOptions:
    """variants: prompts per idea. batch_size: prompts written at once."""

    sampling: Sampling
    seed: int = 0
    variants: int = 1
    batch_size: int = 8
    wording: Wording = field(default_factory=Wording)
    options: EngineOptions = field(default_factory=EngineOptions)

    @cached_property
    def asked_fields(self) -> dict[str, Any]:
        """How prompts are asked for, as rows say it."""
        return asked_fields(self.sampling, self.wording, self.options)


def read_ideas(lines: Iterable[str], where: str, say: Callable[[str], None]) -> Iterator[str]:
    """One idea for each line that is not blank; `say` is told how many were.

    Raises:
        InputError: a line is longer than 2000 characters; `where` names the list.
    """
    blank = 0
    for number, line in enumerate(lines, 1):
        idea = checked_short(line, f"{where} line {number}")
        if idea is None:
            blank += 1
        else:
            yield idea
    if blank:
        say(f"skipped {blank} blank lines of {where}")


def expand_rows(
    ideas: Iterable[str], writer: PromptWriter, options: ExpandOptions
) -> Iterator[tuple[ExpandRow, VidPrompterError | None]]:
    """A row for each idea and variant, in order, and its error where it failed."""
    requests = (
        Request(
            Task.SHORT_TO_PROMPT,
            short=idea,
            variant=variant,
            seed=options.seed,
            sampling=options.sampling,
            wording=options.wording,
        )
        for idea in ideas
        for variant in range(options.variants)
    )
    identity = WriterIdentity(writer.model, writer.revision, writer.engine)
    while batch := list(islice(requests, options.batch_size)):
        results = writer.generate_batch(batch)
        if len(results) != len(batch):
            raise GenerationError(f"{writer.model} gave {len(results)} results for {len(batch)} requests")
        for request, result in zip(batch, results, strict=True):
            yield _row(request, result, identity, options), None if isinstance(result, Prompt) else result


def expand(
    ideas: Sequence[str],
    options: ExpandOptions,
    source: WriterSource,
    *,
    show: Callable[[ExpandRow], None],
    answer: Callable[[str], None],
    say: Callable[[str], None],
    as_json: bool,
) -> int:
    """The exit code: 0 all written, 1 some failed, 130 interrupted. As JSON, one list at the end.

    show: prints a finished row for people.

    Raises:
        InputError: there is no idea.
    """
    if not ideas:
        raise InputError('no idea was given; try: vidprompter expand "a cat on a roof"')
    rows: list[ExpandRow] = []
    failed = 0
    interrupted = False
    writer: PromptWriter | None = None
    try:
        writer = source.load(say)
        for row, error in expand_rows(ideas, writer, options):
            rows.append(row)
            failed += error is not None
            if error is not None:
                say(f"failed: {row['short']!r}: {type(error).__name__}: {error}")
            elif not as_json:
                show(row)
    except KeyboardInterrupt:
        interrupted = True
        say(f"interrupted after {len(rows)} of {len(ideas) * options.variants} prompts")
    if told := _summary(writer):
        say(told)
    if as_json:
        answer(json.dumps(rows, ensure_ascii=False, indent=1))
    if interrupted:
        return EXIT_INTERRUPTED
    return EXIT_FAILED if failed else 0


def _summary(writer: PromptWriter | None) -> str:
    return writer.summary() if isinstance(writer, Reports) else ""


def _row(
    request: Request, result: Prompt | VidPrompterError, identity: WriterIdentity, options: ExpandOptions
) -> ExpandRow:
    row: ExpandRow = {
        "short": request.short or "",
        "variant": request.variant,
        "prompt": None,
        "status": "failed",
        "error": None,
        "finish": None,
        "flags": [],
        "model": identity.model,
        "revision": identity.revision,
        "engine": identity.engine,
        "settings": options.asked_fields,
        "seed": request.seed,
    }
    if isinstance(result, Prompt):
        row["prompt"], row["status"], row["finish"] = result.text, "done", result.finish
        row["flags"], row["seed"] = list(result.flags), result.seed
        row["model"], row["revision"], row["engine"] = result.model, result.revision, result.engine
        row["settings"] = {**row["settings"], **result.settings}
        add_where_asked(row, result)
    else:
        row["error"] = error_field(result)
    return row
