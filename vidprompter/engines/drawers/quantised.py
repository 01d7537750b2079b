"""The built-in model in 8 bits, made once on this machine from its base and our adapter, and kept with the weights.

<home>/weights/builtin/<base>+<adapter>+<format>/   see `models.smollm2.packed`
<home>/weights/builtin/.lock                        one process makes it, others wait
<home>/weights/builtin/.making-*/                   left by a killed process; swept by the next one
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from vidprompter.errors import ModelError, WeightsCorrupt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.smollm2.packed import PackedModel

BASE = "smollm2-135m-instruct"


def quantised_model(adapter: Path) -> PackedModel:
    """The 8-bit model of base and `adapter`; made now (some seconds) if it is not here, or not as it was made.

    Raises:
        WeightsMissing: the base is not here.
        WeightsCorrupt: the base or the adapter is damaged; the message says what mends it.
        ModelError: the folder of weights cannot be written.
    """
    from models.smollm2.packed import open_packed

    folder = quantised_folder(adapter)
    if folder.is_dir():
        try:
            return open_packed(folder)
        except WeightsCorrupt:
            pass  # it is made anew
    try:
        with _only_one(folder.parent):
            return _opened_or_made(folder, adapter)
    except OSError as error:
        raise ModelError(
            f"the 8-bit language model cannot be stored: {error.strerror or error} ({error.filename or folder}); "
            "VIDPROMPTER_HOME names another folder"
        ) from error


def quantised_folder(adapter: Path) -> Path:
    """Where the 8-bit model of the pinned base and `adapter` lies, or will."""
    from models.fetching.checks import sha256_of
    from models.fetching.places import home
    from models.registry import registry
    from models.smollm2.packed import FORMAT

    base = registry().get(BASE).revision.partition("==")[2]
    return home() / "weights" / "builtin" / f"{base}+{sha256_of(adapter)[:12]}+{FORMAT}"


def _opened_or_made(folder: Path, adapter: Path) -> PackedModel:
    """The lock is ours."""
    from models.smollm2.packed import open_packed, write_packed
    from vidprompter.heap import trim_heap

    if folder.is_dir():  # another process was faster, or it is damaged
        try:
            return open_packed(folder)
        except WeightsCorrupt:
            shutil.rmtree(folder)
    for left in folder.parent.glob(".making-*"):
        shutil.rmtree(left, ignore_errors=True)
    making = Path(mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        config, weights = merged_weights(adapter)
        write_packed(making, config, weights)
        del weights
        making.chmod(0o755)  # mkdtemp's folders are for their owner alone
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
        trim_heap()
    return open_packed(folder)


def merged_weights(adapter: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """transformers' config and the weights of the base with `adapter` added in float32.

    Raises:
        WeightsMissing, WeightsCorrupt: of base or adapter.
    """
    from models.language import load_language_model
    from models.registry import registry
    from models.smollm2.convert import FOLDER
    from vidprompter.training.adapter import merge_adapter

    loaded = load_language_model(dtype="float32", device="cpu")
    merge_adapter(loaded.model, adapter)
    config = json.loads((registry().get(BASE).path() / FOLDER / "config.json").read_text(encoding="utf-8"))
    return config, {name: tensor.detach().numpy() for name, tensor in loaded.model.state_dict().items()}


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Holds the lock of `folder`; it goes with the process, so a killed one blocks nobody."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        yield
