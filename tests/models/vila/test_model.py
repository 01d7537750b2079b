"""The composition against a computation by hand from the same files, caches, batches, sampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.vila.test_projector import folded_by_hand
from tests.models.vila.tiny import TEXT_WIDTH, TOKENS_PER_FRAME

torch = pytest.importorskip("torch")


def clip(frames: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (frames, 48, 64, 3), dtype=np.uint8)


def inputs(loaded: tuple[Any, Any], *clips: Any) -> Any:
    """What the processor makes of one text per clip; the texts have different lengths."""
    _, processor = loaded
    texts = [processor.apply_chat("What" + " is" * n + " it?", frames=len(c)) for n, c in enumerate(clips)]
    return processor(texts, list(clips))


@pytest.fixture(autouse=True)
def no_gradients() -> Any:
    with torch.inference_mode():
        yield


def features_by_hand(folder: Path, pixels: Any) -> Any:
    """(N * Q, D): the tower's last but one hidden state, folded in lists, through the projector's raw tensors."""
    from safetensors.torch import load_file
    from transformers import SiglipVisionModel

    tower = SiglipVisionModel.from_pretrained(folder / "vision_tower").eval()
    patches = tower(pixels, output_hidden_states=True).hidden_states[-2]
    frames, count, width = patches.shape
    side = round(count**0.5)
    grids = patches.reshape(frames, side, side, width).tolist()
    folded = torch.tensor([token for grid in grids for token in folded_by_hand(grid)])
    w = load_file(folder / "mm_projector" / "model.safetensors")
    normed = torch.nn.functional.layer_norm(
        folded, folded.shape[-1:], w["layers.1.weight"], w["layers.1.bias"]
    )
    hidden = torch.nn.functional.gelu(normed @ w["layers.2.weight"].T + w["layers.2.bias"])
    return hidden @ w["layers.4.weight"].T + w["layers.4.bias"]


def test_features_stand_where_the_frames_are(tiny: Path, loaded: tuple[Any, Any]) -> None:
    from transformers import LlamaForCausalLM

    model, processor = loaded
    given = inputs(loaded, clip(3))
    ids = given["input_ids"][0]
    llama = LlamaForCausalLM.from_pretrained(tiny / "llm").eval()
    features = iter(features_by_hand(tiny, given["pixel_values"]))
    words = llama.get_input_embeddings().weight
    rows = [next(features) if i == processor.image_token_id else words[i] for i in ids.tolist()]
    assert next(features, None) is None
    expected = llama(inputs_embeds=torch.stack(rows)[None]).logits
    assert torch.allclose(model(**given).logits, expected, atol=1e-5)


def test_frames_and_their_order_count(loaded: tuple[Any, Any]) -> None:
    """The check above would be worth little if the features hardly moved the logits."""
    model, _ = loaded
    given = inputs(loaded, clip(3))
    plain = model(**given).logits[:, -1]
    given["pixel_values"] = given["pixel_values"].flip(0)
    assert (model(**given).logits[:, -1] - plain).abs().max() > 0.01


def test_shapes_and_what_an_engine_asks_for(loaded: tuple[Any, Any]) -> None:
    model, processor = loaded
    given = inputs(loaded, clip(2), clip(3, 1))
    rows, length = given["input_ids"].shape
    vocabulary = model.config.get_text_config().vocab_size
    assert given["pixel_values"].shape == (5, 3, 42, 42)
    assert model(**given).logits.shape == (rows, length, vocabulary)
    assert model(**given, logits_to_keep=1).logits.shape == (rows, 1, vocabulary)
    assert model.encode_frames(given["pixel_values"]).shape == (5, TOKENS_PER_FRAME, TEXT_WIDTH)
    assert (model.dtype, model.device.type, model.training) == (torch.float32, "cpu", False)
    assert model.get_input_embeddings().weight.shape == (vocabulary, TEXT_WIDTH)
    assert model.config.get_text_config().model_type == "llama"
    assert model.config.image_token_id == processor.image_token_id


def test_many_frames_go_through_the_tower_in_groups(loaded: tuple[Any, Any]) -> None:
    from models.vila.model import FRAMES_AT_ONCE

    model, _ = loaded
    pixels = torch.randn(FRAMES_AT_ONCE + 3, 3, 42, 42)
    together = model.encode_frames(pixels)
    alone = torch.cat([model.encode_frames(frame[None]) for frame in pixels])
    assert torch.allclose(together, alone, atol=1e-5)


def test_with_a_cache_as_without(loaded: tuple[Any, Any]) -> None:
    model, _ = loaded
    given = inputs(loaded, clip(2), clip(1, 1))
    cut = given["input_ids"].shape[1] - 4  # in the text after the frames
    whole = model(**given).logits
    first = model(
        input_ids=given["input_ids"][:, :cut],
        attention_mask=given["attention_mask"][:, :cut],
        pixel_values=given["pixel_values"],
        use_cache=True,
    )
    pieces, cache = [first.logits], first.past_key_values
    for start, end in [(cut, cut + 1), (cut + 1, cut + 2), (cut + 2, cut + 4)]:
        step = model(
            input_ids=given["input_ids"][:, start:end],
            attention_mask=given["attention_mask"][:, :end],
            past_key_values=cache,
            use_cache=True,
        )
        pieces.append(step.logits)
        cache = step.past_key_values
    real = given["attention_mask"].bool()
    assert torch.allclose(torch.cat(pieces, 1)[real], whole[real], atol=1e-4)


def test_a_batch_as_alone(loaded: tuple[Any, Any]) -> None:
    model, processor = loaded
    clips = [clip(1), clip(3, 1)]
    texts = [
        processor.apply_chat(text, frames=len(c))
        for text, c in zip(("Short", "A longer one"), clips, strict=True)
    ]
    together = model(**processor(texts, clips)).logits
    for row, (text, one) in enumerate(zip(texts, clips, strict=True)):
        alone = model(**processor([text], [one])).logits
        assert torch.allclose(together[row, -alone.shape[1] :], alone[0], atol=1e-4)


def test_a_text_without_frames(loaded: tuple[Any, Any]) -> None:
    model, processor = loaded
    given = processor(
        [processor.apply_chat("Hello", frames=0), processor.apply_chat("Hi", frames=1)], [None, clip(1)]
    )
    alone = processor([processor.apply_chat("Hello", frames=0)])
    assert "pixel_values" not in alone
    assert torch.allclose(model(**given).logits[0, -1], model(**alone).logits[0, -1], atol=1e-4)


@pytest.mark.parametrize("frames", [1, 3])
def test_too_few_or_too_many_features(loaded: tuple[Any, Any], frames: int) -> None:
    model, _ = loaded
    given = inputs(loaded, clip(2))
    given["pixel_values"] = torch.zeros(frames, 3, 42, 42)
    with pytest.raises(
        ValueError, match=f"8 placeholders, but {frames} frames give {4 * frames} visual tokens"
    ):
        model(**given)


def test_placeholders_without_frames(loaded: tuple[Any, Any]) -> None:
    model, _ = loaded
    given = inputs(loaded, clip(2))
    with pytest.raises(ValueError, match="8 placeholders, but 0 frames"):
        model(input_ids=given["input_ids"])
    with pytest.raises(ValueError, match="0 placeholders, but 2 frames"):
        model(input_ids=given["input_ids"][:, -3:], pixel_values=given["pixel_values"])


def test_a_drawn_placeholder_is_a_token_like_any_other(loaded: tuple[Any, Any]) -> None:
    """Nothing may fail in the middle of a text because of one unlikely token."""
    model, processor = loaded
    cache = model(**inputs(loaded, clip(1)), use_cache=True).past_key_values
    step = model(input_ids=torch.tensor([[processor.image_token_id]]), past_key_values=cache)
    assert bool(step.logits.isfinite().all())


def test_generate_greedily(loaded: tuple[Any, Any]) -> None:
    """`generate` against a loop without a cache."""
    model, processor = loaded
    given = inputs(loaded, clip(2), clip(2, 1))
    written = model.generate(**given, max_new_tokens=4, do_sample=False, eos_token_id=None)
    ids, mask = given["input_ids"], given["attention_mask"]
    for _ in range(4):
        logits = model(input_ids=ids, attention_mask=mask, pixel_values=given["pixel_values"]).logits[:, -1]
        logits[:, processor.image_token_id] = -torch.inf  # never drawn
        ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], 1)
        mask = torch.nn.functional.pad(mask, (0, 1), value=1)
    assert written.tolist() == ids.tolist()


def test_beams_keep_each_rows_frames_together(loaded: tuple[Any, Any]) -> None:
    model, processor = loaded
    clips = [clip(3), clip(2, 1)]
    given = inputs(loaded, *clips)
    length = given["input_ids"].shape[1]
    asked = {
        "max_new_tokens": 4,
        "num_beams": 3,
        "num_return_sequences": 2,
        "do_sample": False,
        "eos_token_id": None,
    }
    together = model.generate(**given, **asked)[:, length:]
    for row, one in enumerate(clips):
        text = processor.apply_chat("What" + " is" * row + " it?", frames=len(one))
        alone = processor([text], [one])
        answers = model.generate(**alone, **asked)[:, alone["input_ids"].shape[1] :]
        assert together[2 * row : 2 * row + 2].tolist() == answers.tolist()
