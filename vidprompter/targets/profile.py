"""One text-to-video model as a prompt sees it, and the TOML that describes it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidprompter.errors import InputError

TOKENS_PER_WORD = (
    1.7  # what count.py's bound takes for a word of a usual prompt; the real encoders take about 1.45
)

_LIMITS = (16, 100_000)  # tokens
_ADDED = (0, 1000)
_TEXTS = ("title", "encoder", "source", "phrasing")
_KEYS = frozenset({*_TEXTS, "token_limit", "added_tokens", "tokenizers", "negative"})
_TOKENIZER = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(?:/[\w.-]+)?")


@dataclass(frozen=True)
class Target:
    """A text-to-video model.

    encoder: what reads the prompt. token_limit: what it reads at most, the rest is cut off by the pipeline;
    added_tokens of them are taken by what the pipeline adds (an end mark, a chat template). phrasing: one or two
    sentences on how it likes to be told, for models that can follow advice. negative: a good negative prompt, None
    where the model takes none. source: where the limit stands. tokenizers: hub ids, "org/name" or
    "org/name/subfolder", any of which holds the encoder's tokenizer.
    """

    name: str
    title: str
    encoder: str
    token_limit: int
    phrasing: str
    negative: str | None
    source: str
    added_tokens: int = 1
    tokenizers: tuple[str, ...] = ()

    @property
    def max_tokens(self) -> int:
        """The tokens of the limit that are left for the prompt's own text."""
        return self.token_limit - self.added_tokens

    @property
    def max_words(self) -> int:
        """The words of English prose that fit for certain or nearly so: a number to ask a language model for."""
        return max(int(self.max_tokens / TOKENS_PER_WORD), 1)


def read_target(path: Path, name: str) -> Target:
    """The target that a TOML file describes.

    Raises:
        InputError: The file cannot be read, or a value cannot be used; the line names key, value and limit.
    """
    try:
        row = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"target profile {path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"target profile {path} is not valid TOML: {error}") from error
    return _checked(row, name, path)


def _checked(row: dict[str, Any], name: str, path: Path) -> Target:
    if unknown := row.keys() - _KEYS:
        raise _bad(path, f"unknown key {min(unknown)!r}; there are: {', '.join(sorted(_KEYS))}")
    for key in ("encoder", "token_limit"):
        if key not in row:
            raise _bad(path, f"key {key!r} is missing")
    texts = {key: _text(row, key, path) for key in _TEXTS}
    added = _number(row.get("added_tokens", 1), "added_tokens", *_ADDED, path)
    limit = _number(row["token_limit"], "token_limit", max(_LIMITS[0], added + 1), _LIMITS[1], path)
    return Target(
        name=name,
        title=texts["title"] or name,
        encoder=texts["encoder"],
        token_limit=limit,
        phrasing=texts["phrasing"],
        negative=_text(row, "negative", path) or None,
        source=texts["source"] or str(path),
        added_tokens=added,
        tokenizers=_tokenizers(row.get("tokenizers", []), path),
    )


def _text(row: dict[str, Any], key: str, path: Path) -> str:
    value = row.get(key, "")
    if not isinstance(value, str):
        raise _bad(path, f"{key} must be a text, not {value!r}")
    return " ".join(value.split())


def _number(value: Any, key: str, least: int, most: int, path: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _bad(path, f"{key} must be a whole number from {least} to {most}, not {value!r}")
    return value


def _tokenizers(value: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _bad(path, f"tokenizers must be a list of hub ids, not {value!r}")
    for one in value:
        if not isinstance(one, str) or not _TOKENIZER.fullmatch(one):
            raise _bad(path, f"tokenizers must read 'org/name' or 'org/name/subfolder', not {one!r}")
    return tuple(value)


def _bad(path: Path, what: str) -> InputError:
    return InputError(f"target profile {path}: {what}")
