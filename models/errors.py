"""The base of our errors, and those of models; `vidprompter/errors.py` draws the whole tree."""

from __future__ import annotations


class VidPrompterError(Exception):
    """Base of all errors raised on purpose; `str()` is one actionable line."""


class ModelError(VidPrompterError):
    """A model or its weights cannot be used."""


class UnknownModel(ModelError):
    """No registry entry, folder or hub id of that name."""


class WeightsMissing(ModelError):
    """Weights are not on this machine yet; the message holds the command that fetches them."""


class WeightsCorrupt(ModelError):
    """Size, sha256 or tensors differ from the registry table."""


class CapabilityError(ModelError):
    """This engine cannot do what was asked."""
