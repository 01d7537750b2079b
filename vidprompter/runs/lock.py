"""One run at a time per output: a lock that dies with its process."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from vidprompter.errors import LedgerError, OutputError

if sys.platform != "win32":
    import fcntl


class RunLock:
    """Holds `path` until `release`; a killed process leaves no stale lock behind.

    POSIX record locks and not flock: worker processes that outlive a killed run must not keep it locked.
    """

    def __init__(self, path: Path) -> None:
        """Takes the lock.

        Raises:
            LedgerError: another process holds it.
            OutputError: the lock file cannot be made.
        """
        self.path = path
        self._file = self._take()

    def release(self) -> None:
        """Gives the lock back and removes its file."""
        if self._file >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1

    def _take(self) -> int:
        while True:
            try:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                raise OutputError(f"cannot write in {str(self.path.parent)!r} ({error.strerror})") from None
            try:
                _lock(file)
            except OSError as error:
                os.close(file)
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    raise LedgerError(
                        f"another run is writing this output (it holds {str(self.path)!r}); "
                        f"wait for it, or give another --out"
                    ) from None
                raise OutputError(f"cannot lock {str(self.path)!r} ({error.strerror})") from None
            # The holder before us may have removed the file between our open and our lock.
            if self.path.exists() and os.fstat(file).st_ino == self.path.stat().st_ino:
                return file
            os.close(file)


def _lock(file: int) -> None:
    if sys.platform != "win32":
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
