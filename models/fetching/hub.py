"""Entries that live on a model hub: the hub's own cache first, the network only on a pull."""

from __future__ import annotations

from pathlib import Path

from models.entry import HubSource
from models.errors import ModelError

# No pickles and no code: what a safetensors model needs, and nothing that can run.
_WANTED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]


def find_on_disk(source: HubSource) -> Path | None:
    """The folder of the pinned commit in the hub's cache, None when it is not there. Asks no network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                source.repo, revision=source.commit, allow_patterns=_WANTED, local_files_only=True
            )
        )
    except LocalEntryNotFoundError:
        return None


def download(source: HubSource) -> Path:
    """The folder of the pinned commit, fetched into the hub's cache.

    Raises:
        ModelError: The hub cannot be reached, or refuses.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source.repo, revision=source.commit, allow_patterns=_WANTED))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        last = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"the model hub did not give {source.repo} at {source.commit[:12]}: {last}"
        ) from error
