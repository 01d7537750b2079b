"""Every error VidPrompter raises on purpose.

    VidPrompterError                 anything below; `str(error)` is one line a user can act on
    ├── InputError                   an argument, option or file list that cannot be used
    ├── VideoError                   one clip cannot be read; costs that clip's row, never the run
    │   ├── VideoNotFound            no such file, or a dangling link
    │   ├── VideoUnreadable          exists, but permission or I/O says no
    │   ├── NotAVideoFile            a folder, FIFO, text, HTML, archive ... under a video's name
    │   ├── EmptyVideo               zero bytes, or nothing but zeros
    │   ├── NoVideoStream            a media file with sound only
    │   ├── CorruptVideo             a container that opens, but no frame decodes
    │   ├── DecodeTimeout            the decoder ran past its time limit
    │   └── DecodeCrash              the decoder's process died
    ├── ModelError                   a model or its weights cannot be used
    │   ├── UnknownModel             no registry entry, folder or hub id of that name
    │   ├── WeightsMissing           not fetched yet; the message holds the command that fetches them
    │   ├── WeightsCorrupt           size or sha256 differ from the registry table
    │   └── CapabilityError          this engine cannot do what was asked (beams, video ...)
    ├── GenerationError              the model gave nothing usable
    │   ├── NoAnswer                 it was asked, and refused, was stopped by a filter, or wrote nothing
    │   ├── OutOfMemory              not with so many requests at once
    │   └── VisualTokenMismatch      the frames take another number of tokens than was promised
    └── RunError                     the run cannot go on
        ├── LedgerError              the ledger is locked, corrupt or of another version
        ├── OutputError              the output cannot be written (disk full, read-only ...)
        └── FolderVanished           the folder of the clips is not there any more

Messages hold the value, the limit and the next step.
"""

from __future__ import annotations

from models.errors import (
    CapabilityError,
    ModelError,
    UnknownModel,
    VidPrompterError,
    WeightsCorrupt,
    WeightsMissing,
)

__all__ = [
    "CapabilityError",
    "CorruptVideo",
    "DecodeCrash",
    "DecodeTimeout",
    "EmptyVideo",
    "FolderVanished",
    "GenerationError",
    "InputError",
    "LedgerError",
    "ModelError",
    "NoAnswer",
    "NoVideoStream",
    "NotAVideoFile",
    "OutOfMemory",
    "OutputError",
    "RunError",
    "UnknownModel",
    "VidPrompterError",
    "VideoError",
    "VideoNotFound",
    "VideoUnreadable",
    "VisualTokenMismatch",
    "WeightsCorrupt",
    "WeightsMissing",
    "WordingLost",
]


class InputError(VidPrompterError):
    """An argument, option or file list cannot be used."""


class VideoError(VidPrompterError):
    """One clip cannot be read."""


class VideoNotFound(VideoError):
    """No such file, or a dangling link."""


class VideoUnreadable(VideoError):
    """The file exists, but permission or I/O says no."""


class NotAVideoFile(VideoError):
    """Not a video or picture whatever its name says."""


class EmptyVideo(VideoError):
    """Zero bytes, or nothing but zeros."""


class NoVideoStream(VideoError):
    """A media file without a picture."""


class CorruptVideo(VideoError):
    """The container opens, but no frame decodes."""


class DecodeTimeout(VideoError):
    """The decoder ran past its time limit."""


class DecodeCrash(VideoError):
    """The decoder's process died."""


class GenerationError(VidPrompterError):
    """The model gave nothing usable."""


class NoAnswer(GenerationError):
    """The model was asked, and refused, was stopped by a filter, or wrote nothing."""


class OutOfMemory(GenerationError):
    """The memory is too small for so many requests at once."""


class VisualTokenMismatch(GenerationError):
    """The frames take another number of tokens than the processor promised."""


class WordingLost(GenerationError):
    """A text cannot keep its wording; another one may."""


class RunError(VidPrompterError):
    """The run cannot go on."""


class LedgerError(RunError):
    """The ledger is locked, corrupt or of another version."""


class OutputError(RunError):
    """The output cannot be written."""


class FolderVanished(RunError):
    """The folder of the clips is not there any more."""
