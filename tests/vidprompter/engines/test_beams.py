"""Beam search and scoring against transformers' own, over tiny decoders; and both on the built-in engine."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vidprompter.tiny import tiny_llama
from vidprompter import VidPrompter
from vidprompter.engines.beams import FoundBeam, beam_search
from vidprompter.engines.decoding import encode_texts
from vidprompter.engines.score import score_texts
from vidprompter.engines.stops import cut_at_stop, stop_check
from vidprompter.tasks import Prompt, Request, Sampling, Task

MODEL = tiny_llama(seed=3)
tokens = st.lists(st.integers(2, 95), min_size=1, max_size=9)


def search(contexts: list[list[int]], width: int, new: int, stop: tuple[int, ...]) -> list[list[FoundBeam]]:
    return beam_search(
        MODEL, lambda: encode_texts(MODEL, contexts, 0), width=width, max_new_tokens=new, stop=stop
    )


@settings(max_examples=25, deadline=None)
@given(
    st.lists(tokens, min_size=1, max_size=3),
    st.integers(2, 6),
    st.integers(1, 10),
    st.lists(st.integers(2, 95), min_size=1, max_size=12, unique=True),
)
def test_beams_are_those_of_transformers(
    contexts: list[list[int]], width: int, new: int, stop: list[int]
) -> None:
    """With many end tokens, so that beams end early; alone and with others in the batch."""
    found = search(contexts, width, new, tuple(stop))
    for context, beams in zip(contexts, found, strict=True):
        theirs = MODEL.generate(
            torch.tensor([context]), attention_mask=torch.ones(1, len(context)), max_new_tokens=new, do_sample=False,
            num_beams=width, num_return_sequences=width, eos_token_id=stop, pad_token_id=0,
            return_dict_in_generate=True, output_scores=True,
        )  # fmt: skip
        assert len(beams) == width
        rows = theirs.sequences[:, len(context) :].tolist()
        for beam, row, score in zip(beams, rows, theirs.sequences_scores.tolist(), strict=True):
            assert beam.worth == pytest.approx(score, abs=1e-4)
            if beam.worth - min(b.worth for b in beams if b is not beam) > 1e-4:  # no tie
                assert list(beam.ids) == row[: len(beam.ids)]


@settings(max_examples=15, deadline=None)
@given(tokens, st.lists(tokens, min_size=1, max_size=5))
def test_scores_are_those_of_whole_sequences(context: list[int], texts: list[list[int]]) -> None:
    found = score_texts(MODEL, lambda: encode_texts(MODEL, [context], 0), texts)
    for text, logprobs in zip(texts, found, strict=True):
        with torch.no_grad():
            logits = MODEL(torch.tensor([[*context, *text]])).logits[0, len(context) - 1 : -1]
        expected = logits.log_softmax(-1).gather(-1, torch.tensor(text)[:, None]).squeeze(-1).tolist()
        assert logprobs == pytest.approx(expected, abs=1e-4)


def test_banned_tokens_are_in_no_beam() -> None:
    free = search([[5, 9, 30]], 4, 6, (1,))[0]
    taken = free[0].ids[0]
    held = beam_search(
        MODEL,
        lambda: encode_texts(MODEL, [[5, 9, 30]], 0),
        width=4,
        max_new_tokens=6,
        stop=(1,),
        banned=[taken],
    )[0]
    assert all(taken not in beam.ids for beam in held)


def test_stop_texts_are_found_at_the_end_and_cut() -> None:
    def decode(ids: object) -> str:
        return "".join(chr(one) for one in ids)  # type: ignore[attr-defined]

    holds = stop_check(decode, ("END", "\n\n"))
    assert holds is not None and stop_check(decode, ()) is None
    assert holds([ord(c) for c in "a cat END"]) and not holds([ord(c) for c in "a cat EN"])
    assert cut_at_stop("a cat\n\nEND b", ("END", "\n\n")) == "a cat"
    assert cut_at_stop("a cat", ()) == "a cat"


@pytest.mark.weights
def test_the_built_in_model_has_beams_probabilities_and_a_stream() -> None:
    writer = VidPrompter.load("builtin")
    request = Request(
        Task.SHORT_TO_PROMPT, short="a cat on a roof", sampling=Sampling(max_new_tokens=24, beams=3)
    )
    (prompt,) = writer.generate_batch([request])
    assert isinstance(prompt, Prompt) and len(prompt.beams) == 3
    for beam, told in zip(prompt.beams, writer.logprobs(request, prompt.beams), strict=True):
        assert told.total == pytest.approx(beam.logprob, abs=1e-3)
    cat, car = writer.logprobs(request, ["A cat sits on a roof.", "A car sits on a lake."])
    assert cat.total > car.total
    pieces = list(writer.stream(request))
    assert len(pieces) > 5 and "cat" in "".join(pieces)
