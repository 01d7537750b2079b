from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.vidprompter.tiny import WordTokenizer, tiny_llama
from vidprompter.errors import InputError, WeightsCorrupt, WeightsMissing
from vidprompter.tasks import Task
from vidprompter.training.adapter import adapter_meta, attach_fresh, merge_adapter, save_adapter
from vidprompter.training.batches import Tokens, collate, epoch_order, tokenize
from vidprompter.training.derive import Example
from vidprompter.training.sft import SFTSettings, answer_loss_sum, evaluate, rate_at, train_sft

WORDS = "red blue cat dog runs sits over under roof river slowly fast".split()
EXAMPLES = [
    Example(
        Task.SHORT_TO_PROMPT, f"{WORDS[i % 12]} {WORDS[(i * 5) % 12]}", " ".join(WORDS[: 3 + i % 7]) + "."
    )
    for i in range(12)
]
SETTINGS = SFTSettings(
    steps=6, batch=4, micro=2, learning_rate=5e-3, rank=2, alpha=4, bfloat16=False, save_every=2
)


def train(out: Path, settings: SFTSettings = SETTINGS) -> dict[str, torch.Tensor]:
    return load_file(
        train_sft(tiny_llama(), WordTokenizer(), EXAMPLES, out=out, base="tiny", settings=settings)
    )


def test_training_lowers_the_loss_and_writes_what_made_it(tmp_path: Path) -> None:
    model, tokenizer = tiny_llama(), WordTokenizer()
    rows = tokenize(EXAMPLES, tokenizer, max_tokens=100)
    before = evaluate(tiny_llama(), rows, pad=0)
    path = train_sft(
        model, tokenizer, EXAMPLES, out=tmp_path, base="tiny", settings=replace(SETTINGS, steps=40)
    )
    merged = tiny_llama()
    merge_adapter(merged, path)
    assert evaluate(merged, rows, pad=0) < before - 0.3
    meta = adapter_meta(path)
    assert (meta["rank"], meta["alpha"], meta["base"]) == ("2", "4", "tiny")
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == list(range(1, 41))


def test_the_same_seed_gives_the_same_adapter(tmp_path: Path) -> None:
    one, two = train(tmp_path / "a"), train(tmp_path / "b")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_an_interrupted_run_ends_where_a_whole_one_does(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(progress: object) -> None:
        if progress.step == 4:  # type: ignore[attr-defined]
            raise Stop

    whole = train(tmp_path / "whole")
    with pytest.raises(Stop):
        train_sft(
            tiny_llama(),
            WordTokenizer(),
            EXAMPLES,
            out=tmp_path / "cut",
            base="tiny",
            settings=SETTINGS,
            report=stop,
        )
    resumed = train(tmp_path / "cut")
    for name in whole:
        assert torch.allclose(whole[name].float(), resumed[name].float(), atol=1e-5), name


def test_other_settings_do_not_resume(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(InputError, match="other settings"):
        train(tmp_path, replace(SETTINGS, rank=3))


def test_micro_batches_give_the_gradient_of_one_big_batch() -> None:
    rows = tokenize(EXAMPLES, WordTokenizer(), max_tokens=100)
    answers = sum(len(r) - r.answer for r in rows)
    gradients = []
    for size in (len(rows), 5):  # 5 leaves an uneven tail
        model = tiny_llama()
        for i in range(0, len(rows), size):
            (answer_loss_sum(model, rows[i : i + size], pad=0) / answers).backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for whole, split in zip(*gradients, strict=True):
        assert torch.allclose(whole, split, atol=1e-5)


def test_the_loss_is_the_teacher_forced_log_probability_of_the_answer() -> None:
    model, row = tiny_llama(), Tokens((5, 9, 30, 7, 44), answer=2)
    logits = model(torch.tensor([row.ids])).logits.log_softmax(-1)
    expected = -sum(logits[0, i - 1, row.ids[i]] for i in range(2, 5))
    assert torch.allclose(answer_loss_sum(model, [row], pad=0), expected, atol=1e-5)


def test_padding_is_neither_read_nor_learnt() -> None:
    batch = collate([Tokens((3, 4, 5), 1), Tokens((6, 7), 1)], pad=0)
    assert batch.ids.tolist() == [[3, 4, 5], [6, 7, 0]]
    assert batch.mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch.answer.tolist() == [[False, True, True], [False, True, False]]


def test_every_row_is_read_once_an_epoch() -> None:
    rows = [Tokens(tuple(range(2 + i % 9)), 1) for i in range(23)]
    order = epoch_order(rows, batch=8, micro=3, seed=1)
    assert sorted(i for step in order for micro in step for i in micro) == list(range(23))
    assert order != epoch_order(rows, batch=8, micro=3, seed=2)


def test_a_long_example_is_refused_and_not_cut() -> None:
    with pytest.raises(InputError, match="limit is 5"):
        tokenize(EXAMPLES, WordTokenizer(), max_tokens=5)


def test_no_examples_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no examples"):
        train_sft(tiny_llama(), WordTokenizer(), [], out=tmp_path, base="tiny", settings=SETTINGS)


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    rates = [rate_at(s / 100, SETTINGS) for s in range(101)]
    assert rates[0] < rates[4] == max(rates)
    assert rates[100] == pytest.approx(0, abs=1e-9)
    assert rates[4:] == sorted(rates[4:], reverse=True)


def test_a_merged_adapter_answers_as_the_attached_one(tmp_path: Path) -> None:
    attached = attach_fresh(tiny_llama(), rank=2, alpha=6, seed=1)
    with torch.no_grad():
        for name, parameter in attached.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    save_adapter(attached, tmp_path / "a.safetensors", meta={"rank": "2", "alpha": "6"}, dtype="float32")
    merged = tiny_llama()
    merge_adapter(merged, tmp_path / "a.safetensors")
    ids = torch.tensor([[4, 8, 15, 16, 23, 42]])
    assert torch.allclose(attached(ids).logits, merged(ids).logits, atol=1e-4)
    assert not torch.allclose(tiny_llama()(ids).logits, merged(ids).logits, atol=1e-2)


@pytest.mark.parametrize("fault", ["missing", "extra", "shape"])
def test_a_faulty_adapter_names_the_tensor(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "a.safetensors"
    save_adapter(attach_fresh(tiny_llama(), rank=2, alpha=4, seed=1), path, meta={"rank": "2", "alpha": "4"})
    tensors = load_file(path)
    name = "model.layers.1.mlp.up_proj"
    if fault == "missing":
        tensors = {k: v for k, v in tensors.items() if not k.startswith(name)}
    elif fault == "extra":
        tensors["model.layers.7.mlp.up_proj.lora_A.weight"] = torch.zeros(2, 32)
        name = "model.layers.7.mlp.up_proj"
    else:
        tensors[f"{name}.lora_B.weight"] = torch.zeros(47, 2)
    save_file(tensors, path, metadata={"rank": "2", "alpha": "4"})
    with pytest.raises(WeightsCorrupt, match=name.replace(".", r"\.")):
        merge_adapter(tiny_llama(), path)


def test_a_missing_adapter_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="train sft"):
        adapter_meta(tmp_path / "none.safetensors")
