"""The same tokens as open_clip, whatever the text."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.clip.tokenizer import ClipBpe, end_of
from models.clip.vocabulary import open_clip_vocabulary, vocabulary_in, write_vocabulary
from models.errors import ModelError, WeightsCorrupt
from tests.models.clip import tiny


@lru_cache(maxsize=1)
def ours() -> ClipBpe:
    return ClipBpe()


@lru_cache(maxsize=1)
def theirs() -> Any:
    from open_clip import SimpleTokenizer

    return SimpleTokenizer()


def same(text: str) -> None:
    reference = theirs()
    assert ours().encode(text) == [reference.sot_token_id, *reference.encode(text), reference.eot_token_id]


pieces = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        ["'s", "'RE", "don't", "<|endoftext|>", "<end_of_text>", "<START_OF_TEXT>", "&amp;lt;", "Ã©"]
    ),
    st.sampled_from(
        [
            "🐈‍⬛",
            "👩🏽‍🚀",
            "猫が屋根の上",
            "ﬁ",
            "İ",
            "ß",
            "\x00",
            "\x1c",
            "\x85",
            "\u2028",
            "\u200b",
            "½",
            "  ",
        ]
    ),
    st.text("abcdeinorst ", max_size=40),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=8).map("".join))
@example("")
@example(" \n\t ")
@example("a photo of a cat <|endoftext|> and a dog")
@example("a photo of a cat <end_of_text> and a dog")
@example("x" * 500)
def test_any_text(text: str) -> None:
    same(text)


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(categories=["Cs", "L"]), max_size=20))
def test_lone_surrogates_do_not_crash(text: str) -> None:
    ids = ours().encode(text)
    assert ids[0] == 49406 and ids[-1] == 49407 and max(ids) < 49408


def test_ten_thousand_words() -> None:
    text = " ".join(f"{word}{n}" for n in range(2500) for word in ("dog", "runs", "slowly", "grün"))
    same(text)
    ids = ours().encode(text)
    assert len(ids) > 20_000
    assert ours().cut(ids, 77) == [*ids[:76], 49407]
    assert ours().cut(ids[:5], 77) == ids[:5]


def test_a_word_without_end_takes_no_time() -> None:
    started = time.perf_counter()
    assert len(ours().encode("ab" * 50_000)) > 10_000
    assert time.perf_counter() - started < 5


def test_it_is_pooled_at_the_first_end_mark() -> None:
    assert end_of([49406, 5, 49407]) == 2
    assert end_of([49406, 49407, 5, 49407, 0]) == 1


def test_open_clip_itself_is_not_imported() -> None:
    code = (
        "import sys; from models.clip.tokenizer import ClipBpe; ClipBpe().encode('a'); "
        "print('open_clip' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_vocabulary_files_of_all_forms_are_the_same(tmp_path: Path) -> None:
    tiny.write_tokenizer(tmp_path / "hub")
    write_vocabulary(open_clip_vocabulary(), tmp_path / "hub")
    from transformers import CLIPTokenizer

    CLIPTokenizer.from_pretrained(tmp_path / "hub").save_pretrained(tmp_path / "new")
    assert (tmp_path / "new" / "tokenizer.json").is_file()
    want = open_clip_vocabulary()
    for folder in ("hub", "new"):
        found = vocabulary_in(tmp_path / folder)
        assert found is not None
        assert (found.tokens, found.merges, found.start, found.end) == (
            want.tokens,
            want.merges,
            want.start,
            want.end,
        )
    assert vocabulary_in(tmp_path) is None


@pytest.mark.parametrize(
    ("file", "content", "error", "said"),
    [
        ("tokenizer.json", "{", WeightsCorrupt, "valid JSON"),
        ("tokenizer.json", "[]", WeightsCorrupt, "no JSON object"),
        (
            "tokenizer.json",
            json.dumps({"model": {"type": "WordPiece", "vocab": {}}}),
            ModelError,
            "byte-pair",
        ),
        (
            "tokenizer.json",
            json.dumps({"model": {"vocab": {}, "merges": []}}),
            ModelError,
            "end_of_word_suffix",
        ),
        ("vocab.json", json.dumps({"<|startoftext|>": 0, "<|endoftext|>": 1}), WeightsCorrupt, "merge"),
        ("merges.txt", "a b\nqq zz\n", WeightsCorrupt, "'qq zz'"),
        ("merges.txt", "#version: 0.2\n", WeightsCorrupt, "merges are not whole"),
    ],
)
def test_vocabularies_that_are_not_clips(
    file: str, content: str, error: type[Exception], said: str, tmp_path: Path
) -> None:
    tiny.write_tokenizer(tmp_path)
    (tmp_path / file).write_text(content)
    with pytest.raises(error, match=said):
        vocabulary_in(tmp_path)
