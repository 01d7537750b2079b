"""Counting: exactly with the encoder's own tokenizer, and a bound that is never below."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.spiece_files import spiece
from tests.vidprompter.targets.tiny_tokenizer import write_t5
from vidprompter import targets
from vidprompter.targets.count import upper_bound

ROWS = [
    line.split("\t")
    for line in (Path(__file__).parent / "counted.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
NOUNS = [
    line.split("\t")[0]
    for line in (Path(targets.__file__).parents[1] / "data" / "nouns.tsv").read_text().splitlines()
    if not line.startswith("#")
]
WORDS = st.sampled_from(
    [*NOUNS, *"The a with slowly under bright-red camera's 1920s cafés, (f/2.8) «so» 24".split()]
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "home"))
    return tmp_path / "cache"


def test_exact_with_the_tokenizer_in_the_cache(cache: Path) -> None:
    text = "the dog runs on the grass."
    assert not targets.count_tokens("ltx", text).exact
    write_t5(cache, "Lightricks/LTX-Video", "tokenizer")
    # six words of one token each, the stop, and the end mark
    assert targets.count_tokens("ltx", text) == targets.Count(8, exact=True)
    assert not targets.count_tokens("cogvideox", text).exact  # another model's


def test_its_own_cut_and_padding_do_not_count(cache: Path) -> None:
    write_t5(cache, "google/t5-v1_1-xxl", limit=16)
    assert targets.count_tokens("mochi", " ".join(["dog"] * 300)) == targets.Count(301, exact=True)
    assert targets.count_tokens("mochi", "dog") == targets.Count(2, exact=True)
    assert not targets.fits("mochi", " ".join(["dog"] * 256))
    assert targets.fits("mochi", " ".join(["dog"] * 255))


def test_a_spiece_file_counts_too(cache: Path) -> None:
    folder = write_t5(cache, "Lightricks/LTX-Video", "tokenizer")
    (folder / "tokenizer.json").unlink()
    words = [("▁a", -2.0, 1), ("▁dog", -2.0, 1), ("▁runs", -2.0, 1)]
    (folder / "spiece.model").write_bytes(spiece([("<unk>", 0.0, 2), *words]))
    assert targets.count_tokens("ltx", "a dog  runs") == targets.Count(4, exact=True)


@pytest.mark.parametrize("name", ["tokenizer.json", "spiece.model"])
def test_a_damaged_tokenizer_leaves_the_bound(cache: Path, name: str) -> None:
    folder = write_t5(cache, "Lightricks/LTX-Video", "tokenizer")
    (folder / "tokenizer.json").unlink()
    (folder / name).write_bytes(b"{ damaged")
    assert not targets.count_tokens("ltx", "a dog").exact


def test_a_folder_without_a_tokenizer_is_passed_over(cache: Path) -> None:
    folder = write_t5(cache, "Lightricks/LTX-Video", "tokenizer")
    (folder / "tokenizer.json").rename(folder / "other.json")
    assert not targets.count_tokens("ltx", "a dog").exact


@pytest.mark.parametrize("row", ROWS, ids=[row[-1][:24] for row in ROWS])
def test_the_bound_against_the_real_tokenizers(row: list[str]) -> None:
    *real, text = row
    bound = upper_bound(text)
    assert bound >= max(map(int, real))
    assert bound <= 1.8 * max(map(int, real)) + 3  # and not far above


@pytest.mark.weights
@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=60).map(" ".join))
def test_the_bound_against_the_tokenizer_that_we_have(text: str) -> None:
    assert upper_bound(text) >= len(smollm2().encode(text, add_special_tokens=False).ids)


@given(st.text(max_size=80))
def test_any_text_has_a_bound(text: str) -> None:
    words = text.split()
    assert upper_bound(text) >= len(words)
    assert upper_bound(text + " more") > upper_bound(text)


@lru_cache(maxsize=1)
def smollm2() -> Any:
    from tokenizers import Tokenizer

    from models.registry import registry

    folder = registry().get("smollm2-135m-instruct").path()
    return Tokenizer.from_file(str(next(folder.glob("transformers.*")) / "tokenizer.json"))
