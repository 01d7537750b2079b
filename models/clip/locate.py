"""Where a CLIP-like checkpoint lies that a user named. No network is asked, and no weights are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from models.clip.checkpoint import KINDS, SUFFIXES
from models.entry import Entry, HubSource
from models.errors import ModelError, UnknownModel, WeightsMissing
from models.fetching.find import find
from models.fetching.hub_cache import commit_here, is_hub_id, snapshot_folder, split_hub_id, what_is_missing
from models.fetching.pins import pins_of
from models.fingerprint import local_revision
from models.registry import Registry, registry

ENTRIES = {"clip": "clip-vit-l-14", "long-clip": "long-clip-l", "videoclip-xl": "videoclip-xl"}
"""Evaluators -> the entries of the registry that they take where the user names nothing."""

_OPEN_CLIP_NAME = re.compile(r"(?P<model>[A-Za-z][\w.-]*)(?::(?P<tag>[\w.-]+))?")
_OPENAI_NAME = re.compile(r"(ViT-[A-Za-z]+|RN\d+)/(\d+)(.*)")  # ViT-L/14, as OpenAI wrote it
_USUAL_TAG = "openai"


@dataclass(frozen=True)
class Found:
    """A checkpoint on this machine. model: as it was named; path: its file or folder; quick_gelu: where the name says it."""

    model: str
    revision: str
    path: Path
    quick_gelu: bool | None = None


def locate_checkpoint(kind: str, where: str | Path | None = None, *, known: Registry | None = None) -> Found:
    """The checkpoint that is meant by `where`, for the evaluator `kind`.

    Tried in this order: the registry's entry for None; a name of the registry; a file or folder; a hub id in the hub's
    cache; a name of open_clip's table ("ViT-L-14", "ViT-B-32:laion2b_s34b_b79k").

    Raises:
        UnknownModel: nothing of that name; the message suggests near ones.
        WeightsMissing: not on this machine; the message holds the command that fetches it.
        ModelError: known, and of another kind than a CLIP.
    """
    known = known or registry()
    if kind not in KINDS:
        raise UnknownModel(f"no kind {kind!r}; there are: {', '.join(KINDS)}")
    if where is None:
        return _entry(known.get(ENTRIES[kind]), known)
    text = str(where)
    if isinstance(where, str) and text in known:
        return _named_entry(kind, known.get(text), known)
    path = Path(text).expanduser()
    if text.strip() and path.exists():
        return _local(path.absolute())
    if isinstance(where, Path) or path.suffix in SUFFIXES or text.startswith((".", "~", "/")) or "\\" in text:
        raise UnknownModel(f"there is no file or folder {text!r}; check the path")
    if spelled := _OPENAI_NAME.fullmatch(text):
        text = f"{spelled[1]}-{spelled[2]}{spelled[3]}"
    if is_hub_id(text):
        return _hub(text, known)
    return _open_clip(kind, text, known)


def _named_entry(kind: str, entry: Entry, known: Registry) -> Found:
    if entry.kind != "evaluator":
        names = ", ".join(one.name for one in known if one.kind == "evaluator")
        raise UnknownModel(f"{entry.name!r} is a {entry.kind} and scores nothing; those that do: {names}")
    other = next((one for one, name in ENTRIES.items() if name == entry.name), kind)
    if other != kind:
        raise ModelError(
            f"{entry.name!r} is a {KINDS[other]} and no {KINDS[kind]}; ask for the evaluator {other!r}"
        )
    return _entry(entry, known)


def _entry(entry: Entry, known: Registry) -> Found:
    folder = find(entry.name, known=known)
    if entry.derived:
        folder = (folder / entry.derived[0]).parent
    return Found(entry.name, entry.revision, folder)


def _local(path: Path) -> Found:
    try:
        return Found(path.name, local_revision(path), path)
    except OSError as error:
        raise UnknownModel(f"{path} cannot be read: {error.strerror or error}") from error


def _hub(text: str, known: Registry) -> Found:
    repo, revision = split_hub_id(text)
    for entry in known:
        source = entry.source
        if (
            isinstance(source, HubSource)
            and source.repo == repo
            and source.files
            and revision in (None, source.commit)
        ):
            return _entry(entry, known)  # what is pulled from there by name is a file, and converted
    commit = commit_here(repo, revision)
    if commit is None:
        raise WeightsMissing(
            f"{text!r}: not on this machine yet; run `vidprompter models pull {text}`{_size(repo, known)}"
        )
    pulled = any(pin.commit == commit for pin in pins_of(repo).values())
    if pulled and (wrong := what_is_missing(repo, commit)):
        raise WeightsMissing(
            f"{text!r} at {commit[:12]} is not whole: {wrong}; run `vidprompter models pull {text}`"
        )
    return Found(text, f"{repo}@{commit[:12]}", snapshot_folder(repo, commit))


def _size(repo: str, known: Registry) -> str:
    for entry in known:
        if isinstance(entry.source, HubSource) and entry.source.repo == repo:
            return f" ({'about ' if entry.source.approximate else ''}{entry.source.bytes / 1e9:.1f} GB)"
    return ""


def _open_clip(kind: str, text: str, known: Registry) -> Found:
    """The hub repository that open_clip's own table names."""
    spelled = _OPEN_CLIP_NAME.fullmatch(text)
    if spelled is None:
        raise UnknownModel(f"no model called {text!r}; {_what_there_is(kind)}")
    import open_clip

    from models.clip.layouts.open_clip import open_clip_config

    model, tag = spelled["model"], spelled["tag"]
    tags = open_clip.list_pretrained_tags_by_model(model)
    if not tags:
        near = get_close_matches(text, [*ENTRIES.values(), *open_clip.list_models()], n=2, cutoff=0.6)
        raise UnknownModel(
            f"no model called {text!r}; "
            + (f"did you mean {' or '.join(near)}?" if near else _what_there_is(kind))
        )
    config = open_clip_config(Path(model), open_clip.get_model_config(model))  # refuses what is no such CLIP
    if tag is None and _USUAL_TAG not in tags:
        raise UnknownModel(
            f"open_clip has no {_USUAL_TAG!r} weights for {model!r}; name one: {_some(model, tags)}"
        )
    tag = tag or _USUAL_TAG
    if tag not in tags:
        raise UnknownModel(f"open_clip has no weights {tag!r} for {model!r}; there are: {_some(model, tags)}")
    row = open_clip.get_pretrained_cfg(model, tag)
    repo = "/".join(str(row.get("hf_hub") or "").split("/")[:2]).strip("/")
    if not is_hub_id(repo):
        raise ModelError(
            f"open_clip fetches {text!r} from {row.get('url')!r}; do that yourself and name the file"
        )
    found = _hub(repo, known)
    quick = bool(row.get("quick_gelu")) or config.activation == "quick_gelu"
    return Found(text, f"{found.revision}+{'quick_gelu' if quick else 'gelu'}", found.path, quick)


def _some(model: str, tags: list[str]) -> str:
    return ", ".join(f"{model}:{tag}" for tag in tags[:6]) + (
        f" and {len(tags) - 6} more" if len(tags) > 6 else ""
    )


def _what_there_is(kind: str) -> str:
    return (
        f"name a file, a folder, a hub id (ORG/NAME), an open_clip model (ViT-B-32:TAG), or {ENTRIES[kind]!r}"
    )
