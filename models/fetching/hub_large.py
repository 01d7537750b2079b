"""The large files of a hub repository, fetched so that a pull which was killed goes on where it stopped.

The hub's own library begins such a file again in each process. So the large ones are put into its cache first, under
the names (the files' etags) by which it finds them there; it does the rest.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from models.errors import ModelError, WeightsCorrupt
from models.fetching.checks import sha256_of
from models.fetching.hub_cache import repo_folder
from models.fetching.places import home

LARGE = 16_000_000
"""Bytes from which a file is fetched here."""

PART = ".vidprompter-part"
"""How the names of half files end, in the cache's `blobs/`."""

_AT_ONCE = 4
_ATTEMPTS = 5  # without a byte of progress in between
_BLOCK = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def fetch_large(repo: str, commit: str, names: Iterable[str], endpoint: str | None) -> None:
    """Puts the named files of `repo` at `commit` into the cache's blobs, four at a time; half files are gone on with.

    Raises:
        WeightsCorrupt: What came has another sha256 than the hub says.
        ModelError: Another file failed, so that this one was given up.
        Exception: What the hub's library raises when the hub cannot be reached or refuses.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = [pool.submit(_fetch, repo, commit, name, endpoint, stop) for name in names]
        try:
            for one in waiting:
                one.result()
        except (
            BaseException
        ):  # an interrupt, too: the others end at their next block, and keep what they have
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def half_files(repo: str) -> int:
    """The bytes of the half files of `repo` that wait in the cache."""
    return sum(file.stat().st_size for file in (repo_folder(repo) / "blobs").glob(f"*{PART}"))


def _fetch(repo: str, commit: str, name: str, endpoint: str | None, stop: threading.Event) -> None:
    from filelock import FileLock
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repo, name, revision=commit, endpoint=endpoint)
    known = get_hf_file_metadata(url)
    if not known.etag or not known.size:
        return  # the hub's library fetches it, and knows what to make of it
    blob = repo_folder(repo) / "blobs" / known.etag
    blob.parent.mkdir(parents=True, exist_ok=True)
    locks = home() / "hub" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{known.etag}.lock"):
        if not blob.is_file():
            part = blob.with_name(blob.name + PART)
            _stream(url, part, int(known.size), stop)
            _check(part, name, known.etag)
            part.replace(blob)


def _stream(url: str, part: Path, size: int, stop: threading.Event) -> None:
    """Fetches what `part` lacks of the file's `size` bytes; a broken line is tried again."""
    from huggingface_hub.errors import HTTPError
    from huggingface_hub.utils import build_hf_headers

    failed = 0
    while (had := part.stat().st_size if part.is_file() else 0) < size:
        headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={had}-"}
        try:
            _append(url, headers, part, had, stop)
        except HTTPError:
            failed = 1 if part.is_file() and part.stat().st_size > had else failed + 1
            if failed >= _ATTEMPTS or stop.wait(min(2**failed * 0.1, 5.0)):
                raise
    if had > size:  # of another time, or of a server that does not know ranges
        part.unlink()
        raise WeightsCorrupt(f"{part.name} had {had} bytes instead of {size}; run the pull again")


def _append(url: str, headers: dict[str, str], part: Path, had: int, stop: threading.Event) -> None:
    from huggingface_hub import get_session
    from huggingface_hub.utils import hf_raise_for_status

    session: Any = get_session()
    with session.stream("GET", url, headers=headers, follow_redirects=True) as answer:
        hf_raise_for_status(answer)
        with part.open("ab" if answer.status_code == 206 and had else "wb") as file:
            for block in answer.iter_bytes(_BLOCK):
                file.write(block)
                if stop.is_set():
                    raise ModelError(f"{part.name}: interrupted; the next pull goes on from here")


def _check(part: Path, name: str, etag: str) -> None:
    if _SHA256.fullmatch(etag) and (found := sha256_of(part)) != etag:
        part.unlink()
        raise WeightsCorrupt(
            f"{name} came with sha256 {found[:12]}... instead of {etag[:12]}...; run the pull again"
        )
