from __future__ import annotations

import pytest

from vidprompter.wording.english import looks_english


@pytest.mark.parametrize(
    "text",
    [
        "a cat on a roof",
        "cat",
        "two men die in the war",
        "la la land at night",
        "rain over Paris",
        "",
        "123",
        "café",
    ],
)
def test_english_and_what_could_be(text: str) -> None:
    assert looks_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "eine Katze auf dem Dach", "un chat sur le toit", "un gato en el tejado", "un gatto sul tetto",
        "um gato no telhado", "een kat op het dak", "kot na dachu", "en katt på taket", "屋顶上的一只猫", "кошка на крыше",
        "çatıda bir kedi", "seekor kucing di atas atap",
    ],
)  # fmt: skip
def test_other_languages(text: str) -> None:
    assert not looks_english(text)
