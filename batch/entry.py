"""The console script `vidprompter`. Looks for shadowing packages before anything else is imported."""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> int:
    """The exit code: 0 all good, 1 something failed, 2 usage, 130 interrupted."""
    complaint = _shadowing()
    if complaint is not None:
        sys.stderr.write(f"vidprompter: error: {complaint}\n")
        return 2
    try:
        from batch.cli import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the command itself, which answers for its own time
        return 130
    finally:
        # What is left is Python's own end: a further Ctrl-C would only print a traceback into it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _shadowing() -> str | None:
    """One line naming both paths when a foreign package hides one of ours, None when all is well."""
    ours = Path(__file__).resolve().parents[1] / "vidprompter"
    spec = find_spec("vidprompter")
    places = [*(spec.submodule_search_locations or ()), spec.origin] if spec is not None else []
    found = next((place for place in places if place is not None), None)
    if found is None or Path(found).resolve() != ours:
        return (
            f"VidPrompter's own package 'vidprompter' at {ours} is hidden by {found}, which Python finds "
            f"first; rename that one, or take its folder off PYTHONPATH"
        )
    try:
        import vidprompter  # noqa: F401 - it checks its neighbours
    except ImportError as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
