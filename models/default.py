"""Which model `--model` means where the user names none: `builtin`, or what `vidprompter models default NAME` set."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.fetching.places import config_home

BUILTIN = "builtin"
_KEY = "default_model"


def settings_file() -> Path:
    """The small JSON file that keeps the choice. May not exist."""
    return config_home() / "settings.json"


def default_model() -> str:
    """The name, folder or hub id that was set; "builtin" where nothing was. Reads one small file.

    Raises:
        ModelError: The file is damaged.
    """
    chosen = _settings().get(_KEY, BUILTIN)
    if not isinstance(chosen, str) or not chosen:
        raise _damaged(f"{_KEY} is {chosen!r}")
    return chosen


def set_default(name: str | None) -> Path:
    """Sets the default model, None for `builtin` again; the file that keeps it. A folder is kept by its full path.

    Whether there is such a model is for the caller to see.

    Raises:
        ModelError: The file is damaged, or cannot be written.
    """
    settings, file = _settings(), settings_file()
    settings.pop(_KEY, None)
    if name is not None and name != BUILTIN:
        settings[_KEY] = name
    try:
        if not settings:
            file.unlink(missing_ok=True)
            return file
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise ModelError(f"the default model cannot be kept in {file}: {error.strerror or error}") from error
    return file


def _settings() -> dict[str, Any]:
    try:
        found = json.loads(settings_file().read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise _damaged(str(error)) from error
    if not isinstance(found, dict):
        raise _damaged("it holds no object")
    return found


def _damaged(what: str) -> ModelError:
    return ModelError(
        f"the settings file {settings_file()} cannot be used: {' '.join(what.split())}; mend it, or remove it"
    )
