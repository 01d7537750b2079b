"""What the user wrote after `--model`: a name of the registry, a folder, or a hub id, and where it lies.

No network is asked and no weights are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from models.entry import Entry, HubSource
from models.errors import UnknownModel, WeightsMissing
from models.fetching.find import find
from models.fetching.hub_cache import (
    commit_here,
    hub_cache,
    is_hub_id,
    snapshot_folder,
    split_hub_id,
    what_is_missing,
)
from models.registry import Registry, registry

Kind = Literal["builtin", "transformers", "vila"]
Origin = Literal["registry", "folder", "hub"]

WRITERS = ("prompt writer", "video-lmm")
"""The kinds of registry entries that write prompts; the others are parts, or files."""

_VILA = ("llm", "vision_tower", "mm_projector")


@dataclass(frozen=True)
class Located:
    """A model on this machine.

    name: registry name, hub id or the folder's own name. revision: what pins it: `repo@commit[:12]` for the hub,
    `local+` and 12 digits of a fingerprint for a folder. kind: what can load it: our own `builtin`, the classes of
    transformers (config.json), or a folder laid out as VILA's (llm/ vision_tower/ mm_projector/).
    """

    folder: Path
    name: str
    revision: str
    kind: Kind
    origin: Origin


def where(name_or_path: str | Path, *, known: Registry | None = None) -> Located:
    """The model that a user means by `name_or_path`, which is on this machine.

    Tried in this order: a name of the registry; a folder that exists; a hub id, `org/name` or `org/name@revision`,
    in the hub's cache. "./name" is always a folder.

    Raises:
        UnknownModel: Nothing of that name; the message suggests near ones. Or a folder that holds no model.
        WeightsMissing: A known model or a hub id that is not here (or not whole); the message holds the command
            that fetches it, and the size where it is known.
        WeightsCorrupt: Here, but not as the registry says.
    """
    known = known or registry()
    text = str(name_or_path)
    if isinstance(name_or_path, str) and text in known:
        return _entry(known.get(text), known)
    path = Path(text).expanduser()
    if text.strip() and path.is_dir():
        return _folder(path.resolve())
    if text.strip() and path.exists():
        raise UnknownModel(f"{text!r} is a file; a model is a folder with its config.json (give the folder)")
    if is_hub_id(text) and not text.startswith("."):
        return _hub(text, known)
    if "/" in text or "\\" in text or text.startswith((".", "~")):
        raise UnknownModel(f"there is no folder {text!r}, and it is no hub id (those read ORG/NAME)")
    raise UnknownModel(f"no model called {text!r}; {_hint(text, known)}")


def writers(known: Registry | None = None) -> tuple[Entry, ...]:
    """The entries of the registry that write prompts."""
    return tuple(entry for entry in known or registry() if entry.kind in WRITERS)


def _entry(entry: Entry, known: Registry) -> Located:
    if entry.kind not in WRITERS:
        names = ", ".join(one.name for one in writers(known))
        what = f"an {entry.kind}" if entry.kind[0] in "aeiou" else f"a {entry.kind}"
        raise UnknownModel(f"{entry.name!r} is {what} and writes no prompts; those that do: {names}")
    folder = find(entry.name, known=known)
    kind: Kind = _layout(folder, entry.name) if isinstance(entry.source, HubSource) else "builtin"
    return Located(folder, entry.name, entry.revision, kind, "registry")


def _folder(path: Path) -> Located:
    from models.fingerprint import local_revision

    kind = _layout(path, str(path))
    try:
        revision = local_revision(path)
    except OSError as error:
        raise UnknownModel(f"the model folder {path} cannot be read: {error.strerror or error}") from error
    return Located(path, path.name, revision, kind, "folder")


def _hub(text: str, known: Registry) -> Located:
    repo, revision = split_hub_id(text)
    commit = commit_here(repo, revision)
    if commit is None:
        raise WeightsMissing(f"{text!r}: {_why_not_here(repo, text, known)}")
    if wrong := what_is_missing(repo, commit):
        raise WeightsMissing(
            f"{text!r} at {commit[:12]} is not whole: {wrong}; run `vidprompter models pull {text}`"
        )
    folder = snapshot_folder(repo, commit)
    return Located(folder, text, f"{repo}@{commit[:12]}", _layout(folder, text), "hub")


def _why_not_here(repo: str, text: str, known: Registry) -> str:
    size = next(
        (
            f" ({'about ' if entry.source.approximate else ''}{entry.source.bytes / 1e9:.1f} GB)"
            for entry in known
            if isinstance(entry.source, HubSource) and entry.source.repo == repo
        ),
        "",
    )
    near = get_close_matches(repo.lower(), names := _hub_names(known), n=2, cutoff=0.7)
    meant = [names[one] for one in near if names[one] != repo]
    also = f"; did you mean {' or '.join(meant)}?" if meant and not size else ""
    return f"neither a folder nor in the hub's cache; run `vidprompter models pull {text}`{size}{also}"


def _hub_names(known: Registry) -> dict[str, str]:
    """Hub ids that are known or here: lower-case -> as written."""
    ids = [entry.source.repo for entry in known if isinstance(entry.source, HubSource)]
    return {one.lower(): one for one in [*ids, *repos_here()]}


def repos_here() -> list[str]:
    """The hub ids ("org/name") of which something lies in the hub's cache, in order of their names."""
    cache = hub_cache()
    folders: Iterable[Path] = cache.glob("models--*--*") if cache.is_dir() else ()
    return sorted(one.name.removeprefix("models--").replace("--", "/", 1) for one in folders)


def _layout(folder: Path, name: str) -> Kind:
    """What kind of model `folder` holds."""
    there = [part for part in _VILA if (folder / part).is_dir()]
    if len(there) == len(_VILA):
        return "vila"
    if (folder / "llm").is_dir():  # VILA's and no other's
        gone = next(part for part in _VILA if part not in there)
        raise UnknownModel(f"{name!r} looks like a VILA model ({', '.join(there)}/), but has no {gone}/")
    if (folder / "config.json").is_file():
        return "transformers"
    if (folder / "adapter_config.json").is_file():
        raise UnknownModel(f"{name!r} holds a LoRA adapter alone; merge it into its base and save that")
    raise UnknownModel(
        f"{name!r} holds no model: neither config.json (transformers) nor llm/, vision_tower/ and "
        f"mm_projector/ (VILA)"
    )


def _hint(text: str, known: Registry) -> str:
    names = {entry.name: entry.name for entry in writers(known)} | _hub_names(known)
    near = get_close_matches(text.lower(), names, n=2, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(names[one] for one in near)}?"
    return f"there are: {', '.join(entry.name for entry in writers(known))}; a folder; or a hub id, ORG/NAME"
