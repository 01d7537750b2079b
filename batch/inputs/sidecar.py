"""Short descriptions that stand in a `.txt` beside a clip."""

from __future__ import annotations

from pathlib import Path

from vidprompter.errors import InputError
from vidprompter.video.files import show

MAX_SHORT_CHARACTERS = 2000


def read_sidecar(clip: str) -> str | None:
    """The text of `clip`'s sidecar (same name, `.txt`), None where there is none or it is blank.

    Raises:
        InputError: it cannot be read as UTF-8 text, or is too long for a short description.
    """
    path = Path(clip).with_suffix(".txt")
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            text = file.read(4 * MAX_SHORT_CHARACTERS + 1).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text, or too long"
        raise InputError(f"the sidecar {show(path)} cannot be used ({reason}); see --no-sidecar") from None
    return checked_short(text, f"the sidecar {show(path)}")


def checked_short(text: str, where: str) -> str | None:
    """`text` on one line, None when blank.

    Raises:
        InputError: it is longer than 2000 characters; `where` names it.
    """
    short = " ".join(text.split())
    if len(short) > MAX_SHORT_CHARACTERS:
        raise InputError(
            f"{where} has {len(short)} characters; a short description has {MAX_SHORT_CHARACTERS} at most"
        )
    return short or None
