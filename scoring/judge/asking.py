"""What the judge is told: its template around the text that is to be judged, which cannot break out of its place."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import Path

from vidprompter.errors import InputError

CAPTION, CODE = "{caption}", "{code}"
# What may be a control token of some model: <|im_end|>, </s>, <image>, [INST]. A lone "<" or "a < b" is none.
_TAG = re.compile(r"<([^\s<>][^<>\n]{0,60})>")
_BRACKET = re.compile(r"\[(/?[A-Z][A-Z_]{1,15})\]")


def judge_template(path: str | None = None) -> str:
    """The judge's template, or the user's own.

    Raises:
        InputError: the file cannot be read, or lacks `{caption}` where the text goes.
    """
    if path is None:
        return files("scoring.judge").joinpath("template.txt").read_text(encoding="utf-8").strip()
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"template {path} cannot be read: {error}; give a UTF-8 text file") from error
    if CAPTION not in text:
        raise InputError(f"template {path} lacks {CAPTION}, where the text to be judged goes; add it")
    return text


def digest(template: str) -> str:
    """12 digits that stand for a template: another one is another judge."""
    return hashlib.sha256(template.encode()).hexdigest()[:12]


def instruction(template: str, caption: str) -> str:
    """What the judge is told of one text.

    The text stands between lines with a code made from it, so that it can hold no such line itself; its braces mean
    nothing.
    """
    code = hashlib.sha256(caption.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    shown = without_control(caption)
    return re.sub(
        r"\{caption\}|\{code\}", lambda match: shown if match.group(0) == CAPTION else code, template
    )


def without_control(caption: str) -> str:
    """The text with what may be a model's control tokens in other brackets, and nothing that UTF-8 cannot hold."""
    plain = caption.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
    while True:
        told = _BRACKET.sub(r"(\1)", _TAG.sub("\u2039\\1\u203a", plain))
        if told == plain:
            return told.strip()
        plain = told
