"""What a server's list of models says about the one that was asked for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from vidprompter.errors import UnknownModel

# These list exactly what they serve. Others serve aliases that they do not list, or whatever is asked for.
_EXACT = {"vllm", "sglang"}
_SHOWN = 3


def greeting(model: str, models: Sequence[dict[str, Any]] | None) -> str:
    """What the list says about `model`, in a few words. models: None where the server has no list.

    Raises:
        UnknownModel: the server lists exactly what it serves, and `model` is not among it.
    """
    if models is None:
        return "the server answers; it gives no list of models"
    names = [str(one.get("id", "")) for one in models]
    if model in names:
        return "the server has it"
    if not names:
        return "the server answers; its list of models is empty"
    close = ", ".join(near(model, names))
    if {str(one.get("owned_by", "")) for one in models} <= _EXACT:
        raise UnknownModel(f"the server has no model {model!r}; it has {close}")
    return f"the server answers; its list has {len(names)} models, and not this one (such as {close})"


def near(model: str, names: Sequence[str]) -> list[str]:
    """Up to three names, those like `model` first."""
    close = difflib.get_close_matches(model, names, n=_SHOWN, cutoff=0.4)
    return [*close, *(name for name in names if name not in close)][:_SHOWN]
