"""One clip as it was found or listed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from vidprompter import errors
from vidprompter.errors import VidPrompterError

_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


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
    it lies, if in an archive. variant: which of several prompts for it.
    """

    path: str
    root: str
    short: str | None = None
    start: float | None = None
    end: float | None = None
    listed: bool = False
    problem: VidPrompterError | None = None
    member: Member | None = None
    variant: int = 0

    def to_json(self) -> str:
        """One line of ASCII from which `from_json` makes the entry again; what is not set is left out."""
        fields: dict[str, Any] = {"path": self.path, "root": self.root}
        if self.short is not None:
            fields["short"] = self.short
        if self.start is not None:
            fields["start"] = self.start
        if self.end is not None:
            fields["end"] = self.end
        if self.variant:
            fields["variant"] = self.variant
        if self.listed:
            fields["listed"] = True
        if self.problem is not None:
            fields["problem"] = [type(self.problem).__name__, str(self.problem)]
        member = self.member
        if member is not None:
            fields["member"] = [member.archive, member.name, member.offset, member.size]
        return _encode(fields)

    @classmethod
    def from_json(cls, text: str) -> ClipEntry:
        """The entry that `to_json` wrote. A problem of a type that is not ours comes back as the base type."""
        fields = _decode(text)
        if "problem" in fields:
            fields["problem"] = _error(*fields["problem"])
        if "member" in fields:
            fields["member"] = Member(*fields["member"])
        return cls(**fields)


def _error(name: str, message: str) -> VidPrompterError:
    kind = getattr(errors, name) if name in errors.__all__ else VidPrompterError
    error: VidPrompterError = kind(message)
    return error
