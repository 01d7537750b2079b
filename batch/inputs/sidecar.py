"""Short descriptions that stand in a `.txt` beside a clip."""

from __future__ import annotations

import errno
import math
import os
import stat
from typing import Any

from vidprompter.errors import InputError
from vidprompter.video.files import show

MAX_SHORT_CHARACTERS = 2000
# O_NONBLOCK: a pipe of that name must not be waited for.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG))


def read_sidecar(clip: str) -> str | None:
    """The text of `clip`'s sidecar (same name, `.txt`), None where there is none or it is blank.

    Raises:
        InputError: it cannot be read as UTF-8 text, or is too long for a short description.
    """
    path = os.path.splitext(clip)[0] + ".txt"  # noqa: PTH122 - a hundred thousand of them: no Path
    try:
        # To try to open it tells at once whether it is there.
        descriptor = os.open(path, _FLAGS)
    except ValueError:
        return None  # not a possible name: the clip's own row says so
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise _unusable(path, error.strerror) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        text = os.read(descriptor, 4 * MAX_SHORT_CHARACTERS + 1).decode("utf-8-sig")
    except OSError as error:
        raise _unusable(path, error.strerror) from None
    except ValueError:
        raise _unusable(path, "not UTF-8 text, or too long") from None
    finally:
        os.close(descriptor)
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


def _unusable(path: str, reason: str | None) -> InputError:
    return InputError(f"the sidecar {show(path)} cannot be used ({reason}); see --no-sidecar")


def checked_seconds(value: Any, where: str) -> float | None:
    """`value` as seconds, None where there is none.

    Raises:
        InputError: it is no number, or below 0; `where` names it.
    """
    if value is None or value == "":
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise InputError(f"{where} is {value!r}; it must be seconds, 0 or more")
    return seconds
