"""One CLIP-like model as scores need it: its keys in the cache, and features of texts and clips; loaded when first asked."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.clip.encoder import ClipEncoder
from models.clip.load import clip_card, load_clip
from scoring.features.frames import Look
from scoring.features.shard import Feature, feature_key
from vidprompter.scores import EvaluatorIdentity

if TYPE_CHECKING:
    from scoring.names import EvaluatorOptions, Named

_FORMAT = 1
"""Raised when the same input gets another feature: older ones are not found any more."""
# torch shares each call among its own threads: two calls at once would only get in each other's way.
_ONE_AT_A_TIME = threading.Lock()


class ClipModel:
    """An evaluator of `CLIP_LIKE`. Its methods may be called by several threads.

    Raises:
        UnknownModel, WeightsMissing, WeightsCorrupt, ModelError: see `models.clip.load.clip_card`.
    """

    def __init__(self, named: Named, options: EvaluatorOptions, say: Callable[[str], None]) -> None:
        self._options, self._where, self._say = options, named.where, say
        self.card = clip_card(named.name, named.where)
        self.name = named.name
        video = self.card.video_frames
        self.look = Look(video or options.frames, video is not None, self.card.preprocess)
        self._expected = _expected_settings(options)
        self._encoder: ClipEncoder | None = None
        self._lock = threading.Lock()

    @property
    def identity(self) -> EvaluatorIdentity:
        """Scores are 100 x cosine."""
        return EvaluatorIdentity(
            self.name,
            -100.0,
            100.0,
            model=self.card.model,
            revision=self.card.revision,
            max_tokens=self.card.max_tokens,
            settings={"frames": self.look.frames, "dtype": self.settings["dtype"]},
        )

    @property
    def settings(self) -> dict[str, str]:
        """backend and dtype: those it runs with, or before it is loaded those that it should get."""
        found = self._encoder.settings if self._encoder is not None else self._expected
        return {name: found[name] for name in ("backend", "dtype")}

    def text_key(self, text: str) -> bytes:
        """Stands for the feature of a text."""
        return feature_key(_FORMAT, "text", self.card.kind, self.card.revision, self.settings, text)

    def clip_key(self, digest: str, start: float | None, end: float | None) -> bytes:
        """Stands for the feature of a file with that digest, or of its part between `start` and `end` seconds."""
        look = [self.look.frames, self.look.whole, self.look.preprocess.to_json()]
        revision = self.card.revision
        return feature_key(_FORMAT, "clip", self.card.kind, revision, self.settings, look, digest, start, end)

    def encode_texts(self, texts: Sequence[str]) -> list[Feature]:
        """A feature of length 1 for each; `count` is how many tokens the whole text has."""
        encoder = self._loaded()
        ids = [encoder.tokenizer.encode(text) for text in texts]
        cut = [encoder.tokenizer.cut(one, self.card.max_tokens) for one in ids]
        with _turn(encoder):
            vectors = encoder.encode_texts(cut)
        return [Feature(vector, len(one)) for vector, one in zip(vectors, ids, strict=True)]

    def encode_clips(self, clips: Sequence[NDArray[np.uint8]]) -> list[Feature]:
        """A feature of length 1 for each (T, S, S, 3); `count` is T.

        Image models: the mean of the frames' features, each of length 1, scaled to length 1 (VidPrompter paper, section
        3.5: "the averaged feature from multiple frames").
        """
        encoder = self._loaded()
        with _turn(encoder):
            vectors = _videos(encoder, clips) if self.look.whole else _images(encoder, clips)
        return [Feature(vector, len(clip)) for vector, clip in zip(vectors, clips, strict=True)]

    def close(self) -> None:
        """Lets go of the weights."""
        with self._lock:
            self._encoder = None

    def _loaded(self) -> ClipEncoder:
        with self._lock:
            if self._encoder is None:
                options = self._options
                self._tell()
                self._encoder = load_clip(
                    self.name,
                    self._where,
                    backend=options.backend,
                    device=options.device,
                    dtype=options.dtype,
                    batch=options.batch,
                )
            return self._encoder

    def _tell(self) -> None:
        from models.clip.onnx_store import is_exported

        for note in self.card.notes:
            self._say(f"{self.name}: {note}")
        if self._expected["backend"] == "onnx" and not is_exported(self.card, self._expected["dtype"]):
            self._say(
                f"{self.name}: {self.card.model} is prepared for ONNX Runtime, which happens once and takes a minute"
            )


def _turn(encoder: ClipEncoder) -> AbstractContextManager[object]:
    return _ONE_AT_A_TIME if encoder.settings["backend"] == "torch" else nullcontext()


def _images(encoder: ClipEncoder, clips: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    frames = encoder.encode_images(np.concatenate(clips))
    ends = np.cumsum([len(clip) for clip in clips])[:-1]
    means = [part.astype(np.float64).mean(0) for part in np.split(frames, ends)]
    return [(mean / np.linalg.norm(mean)).astype(np.float32) for mean in means]


def _videos(encoder: ClipEncoder, clips: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    found: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(clips)
    for frames in sorted({len(clip) for clip in clips}):  # still pictures apart
        rows = [row for row, clip in enumerate(clips) if len(clip) == frames]
        vectors = encoder.encode_videos(np.stack([clips[row] for row in rows]))
        for row, vector in zip(rows, vectors, strict=True):
            found[row] = vector
    return found


def _expected_settings(options: EvaluatorOptions) -> dict[str, str]:
    """What `load_clip` will choose, told without torch. Where it errs, a run only computes anew what is kept."""
    gpu = expects_gpu(options)
    dtype = options.dtype if options.dtype != "auto" else ("float16" if gpu else "float32")
    mps = options.device == "mps" or (options.device == "auto" and sys.platform == "darwin")
    backend = options.backend if options.backend != "auto" else ("torch" if mps else "onnx")
    return {"backend": backend, "dtype": "float32" if mps and options.dtype == "auto" else dtype}


def expects_gpu(options: EvaluatorOptions) -> bool:
    """Whether models should come to run on a GPU; told without torch."""
    return options.device not in ("auto", "cpu") or (options.device == "auto" and _has_gpu())


def _has_gpu() -> bool:
    """Whether the driver of an NVIDIA GPU finds one; without torch, in milliseconds."""
    import ctypes

    if sys.platform == "darwin":
        return False
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False
