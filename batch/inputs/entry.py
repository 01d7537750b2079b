"""One clip as it was found or listed."""

from __future__ import annotations

from dataclasses import dataclass

from vidprompter.errors import VidPrompterError


@dataclass(frozen=True, slots=True)
class Member:
    """Where a clip lies in an archive. offset, size: its bytes, which are stored as they are."""

    archive: str
    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ClipEntry:
    """One clip to caption.

    path: as rows show it (relative to where the user stands, or absolute, as it was given); of a clip in an
    archive `shard.tar/name.mp4`. root: absolute folder it was found under. short: a short description, from a
    list or a sidecar. start, end: seconds, None for the whole file. listed: it is a line of a list, so a
    second mention is a second row. problem: why it cannot be used, known before it was opened. member: where
    it lies, if in an archive.
    """

    path: str
    root: str
    short: str | None = None
    start: float | None = None
    end: float | None = None
    listed: bool = False
    problem: VidPrompterError | None = None
    member: Member | None = None
