"""Finds foreign packages that hide ours: `models` or `batch` are names that a user's own folder may hold.

Only the standard library, and nothing is imported: module specs are looked up and their places compared.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from types import ModuleType

OWN_NAMES = ("vidprompter", "models", "scoring", "t2v_bridge", "batch", "tui")


class ShadowedPackage(ImportError):
    """A foreign folder or file stands before one of our packages on Python's search path."""


def check_own_packages(home: str) -> None:
    """Nothing, when every one of our packages that stands in `home` is the one Python would import.

    home: the folder that holds `vidprompter/`. Names without a folder there are not ours (yet) and are free.

    Raises:
        ShadowedPackage: naming the foreign path and ours.
    """
    for name in OWN_NAMES:
        ours = os.path.join(home, name)  # noqa: PTH118 - pathlib costs more than this whole check
        if not os.path.isfile(os.path.join(ours, "__init__.py")):  # noqa: PTH113, PTH118
            continue
        found = _place(name)
        if found is None or os.path.realpath(found) == os.path.realpath(ours):
            continue
        # benchmarks/scoring.py measures `scoring`: scripts beside it that need the package take their folder off the path.
        if os.path.realpath(found) == os.path.realpath(os.path.join(home, "benchmarks", f"{name}.py")):  # noqa: PTH118
            continue
        raise ShadowedPackage(
            f"VidPrompter's own package {name!r} at {ours} is hidden by {found}, which Python finds first; "
            f"rename that one, or start Python where it is not on sys.path "
            f"(the installed `vidprompter` command works from any folder)",
            name=name,
        )


def _place(name: str) -> str | None:
    """The folder (or single file) that `import name` gives, None if nothing is found."""
    loaded = sys.modules.get(name)
    if isinstance(loaded, ModuleType):
        places = list(getattr(loaded, "__path__", ()))
        return places[0] if places else loaded.__file__
    spec = find_spec(name)
    if spec is None:
        return None
    # A folder without __init__.py is a namespace package: it can stand before an editable install of ours.
    places = list(spec.submodule_search_locations or ())
    return places[0] if places else spec.origin
