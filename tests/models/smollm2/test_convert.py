"""The prepared folder answers as the GGUF file does when transformers reads it itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from models.errors import WeightsCorrupt
from models.smollm2.convert import FOLDER, prepare
from models.smollm2.tokenizer import tokenizer_files
from tests.models.smollm2.tiny_gguf import metadata, write_gguf

TEXTS = [
    "the thin man in the hat",
    "In 2024, 12 roofs",
    "don't  stop\n\n naïve — 日本 ½",
    "<|im_start|>the<|im_end|>",
    "   3 spaces",
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_gguf(folder / "tiny.gguf")
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(prepared: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(prepared / FOLDER, local_files_only=True)


def test_logits_are_those_of_transformers_own_reader(prepared: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(prepared, gguf_file="tiny.gguf", dtype=torch.float32)
    ours = AutoModelForCausalLM.from_pretrained(prepared / FOLDER, dtype=torch.float32, local_files_only=True)
    ids = torch.arange(3, 90).reshape(3, 29)
    with torch.inference_mode():
        expected, found = theirs(ids).logits, ours(ids).logits
    # float16 on disk: a relative error of 2^-11 in every weight
    assert (found - expected).abs().max() < 2e-3 * expected.abs().max()
    assert torch.equal(found.argmax(-1), expected.argmax(-1))


@pytest.mark.parametrize("text", TEXTS)
def test_text_survives_the_tokenizer(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_tokens(tokenizer: Any) -> None:
    assert tokenizer.tokenize(" the thin") == ["Ġthe", "Ġt", "h", "in"]
    assert tokenizer.tokenize("   3") == ["Ġ", "Ġ", "Ġ", "3"]
    assert tokenizer.tokenize("<|im_start|>2024") == ["<|im_start|>", "2", "0", "2", "4"]
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|im_end|>")
    message = [{"role": "user", "content": "the"}]
    assert tokenizer.apply_chat_template(message, tokenize=False) == "<|im_start|>the<|im_end|>"


def test_the_same_file_gives_the_same_bytes(prepared: Path, tmp_path: Path) -> None:
    shutil.copy(prepared / "tiny.gguf", tmp_path)
    prepare(tmp_path)
    for made in (prepared / FOLDER).iterdir():
        assert (tmp_path / FOLDER / made.name).read_bytes() == made.read_bytes()


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", without="blk.1.attn_k.weight")
    with pytest.raises(WeightsCorrupt, match=r"lacks 'blk\.1\.attn_k\.weight'"):
        prepare(tmp_path)


def test_an_unknown_tensor_is_named(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", changes={"llama.block_count": 1})
    with pytest.raises(WeightsCorrupt, match=r"holds 'blk\.1\."):
        prepare(tmp_path)


def test_other_architectures_and_tokenizers_are_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", changes={"general.architecture": "gpt2"})
    with pytest.raises(WeightsCorrupt, match="'llama', not 'gpt2'"):
        prepare(tmp_path)
    with pytest.raises(WeightsCorrupt, match="SmolLM's tokenizer"):
        tokenizer_files(metadata() | {"tokenizer.ggml.pre": "llama-bpe"})
