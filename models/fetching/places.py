"""Where fetched weights live.

<home>/weights/<entry>/<version>-<sha256[:12]>/files/     exactly the entry's files, and what was derived
<home>/weights/<entry>/<version>-<sha256[:12]>/made.json  what was derived: name -> [bytes, sha256]
<home>/weights/<entry>/<commit[:12]>/files/               what was derived from files of the model hub; made.json too
<home>/weights/<entry>/.partial-*/                        a pull in progress; swept by the next one
<home>/hub/ORG--NAME.json                                 what was pulled from the model hub (pins.py)
"""

from __future__ import annotations

import os
from pathlib import Path

from models.entry import Entry, PackageSource


def home() -> Path:
    """The cache folder: $VIDPROMPTER_HOME, or the user's cache folder of this system. May not exist yet."""
    named = os.environ.get("VIDPROMPTER_HOME")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("vidprompter", appauthor=False))


def config_home() -> Path:
    """The folder of the user's own settings: $VIDPROMPTER_HOME/config, or this system's. May not exist yet."""
    if os.environ.get("VIDPROMPTER_HOME"):
        return home() / "config"
    from platformdirs import user_config_dir

    return Path(user_config_dir("vidprompter", appauthor=False))


def entry_folder(entry: Entry) -> Path:
    """The folder of all versions of `entry`."""
    return home() / "weights" / entry.name


def version_folder(entry: Entry, source: PackageSource) -> Path:
    """The folder of the pinned version of `entry`. It comes by one rename, so if it exists it is whole."""
    return entry_folder(entry) / f"{source.version}-{source.sha256[:12]}"


def made_folder(entry: Entry, commit: str) -> Path:
    """The folder of what was derived from the files of a hub entry at that commit. It comes by one rename, too."""
    return entry_folder(entry) / commit[:12]
