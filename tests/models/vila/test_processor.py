"""The conversation's text, its tokens, and frames as pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.errors import ModelError
from models.vila.conversation import CONVERSATIONS, choose_conversation
from tests.models.vila.tiny import TOKENS_PER_FRAME, llama_2_tokenizer, llama_3_tokenizer, write_tiny_vila

torch = pytest.importorskip("torch")

from models.vila.processor import choose_image_token, pad_token_id, padded_to_square  # noqa: E402

LLAMA_3_TEXT = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou are a helpful language and vision assistant. "
    "You are able to understand the visual content that the user provides, and assist the user with a variety of "
    "tasks using natural language.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
    "<image>\n<image>\nWhat is it?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
)
VICUNA_TEXT = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the user's questions. USER: <image>\n<image>\nWhat is it? ASSISTANT:"
)
FRAMES = np.zeros((2, 4, 6, 3), np.uint8)


@pytest.fixture
def processor(loaded: tuple[Any, Any]) -> Any:
    return loaded[1]


def test_the_published_text(processor: Any) -> None:
    assert processor.apply_chat("What is it?", frames=2) == LLAMA_3_TEXT
    assert CONVERSATIONS["vicuna_v1"].text("What is it?", frames=2) == VICUNA_TEXT
    first = LLAMA_3_TEXT.replace("<|eot_id|>", "<|end_of_text|>").replace(
        "assistant<|end_header_id|>", "system<|end_header_id|>"
    )
    assert CONVERSATIONS["llama_3_may_2024"].text("What is it?", frames=2) == first


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("hub/models--Efficient-Large-Model--Llama-3-VILA1.5-8B/snapshots/0a1b", "llama_3_may_2024"),
        ("Llama-3-VILA1.5-8b", "llama_3_may_2024"),
        ("Llama-3-VILA1.5-8B-Fix", "llama_3"),
        ("my-own", "llama_3"),
    ],
)
def test_two_conversations_of_llama_3_are_told_by_the_folders_name(
    tmp_path: Path, folder: str, name: str
) -> None:
    assert choose_conversation(llama_3_tokenizer(), folder=tmp_path / folder).name == name
    assert (
        choose_conversation(llama_3_tokenizer(), folder=tmp_path / folder, name="llama_3").name == "llama_3"
    )


def test_a_conversation_that_cannot_be_told(tmp_path: Path) -> None:
    assert choose_conversation(llama_2_tokenizer(), folder=tmp_path).name == "vicuna_v1"
    odd = llama_2_tokenizer()
    odd.bos_token = "<|startoftext|>"
    with pytest.raises(
        ModelError, match=r"bos '<\|startoftext\|>'.*choose one of: llama_3, llama_3_may_2024, vicuna_v1"
    ):
        choose_conversation(odd, folder=tmp_path)
    with pytest.raises(ModelError, match="no VILA conversation 'hermes-2'; there are"):
        choose_conversation(odd, folder=tmp_path, name="hermes-2")
    with pytest.raises(ModelError, match=r"has no token '<\|eot_id\|>'"):
        choose_conversation(llama_2_tokenizer(), folder=tmp_path, name="llama_3")


def test_tokens_are_those_of_the_pieces(processor: Any) -> None:
    """Begin token once more, as the published code makes it; each mark as many placeholders as visual tokens."""
    ids = processor([LLAMA_3_TEXT], [FRAMES])["input_ids"][0].tolist()
    before, between, after = LLAMA_3_TEXT.split("<image>")
    tokenizer, marks = processor.tokenizer, [processor.image_token_id] * TOKENS_PER_FRAME
    pieces = [tokenizer(piece, add_special_tokens=False)["input_ids"] for piece in (before, between, after)]
    assert ids == [tokenizer.bos_token_id, *pieces[0], *marks, *pieces[1], *marks, *pieces[2]]


def test_padding_is_on_the_left(processor: Any) -> None:
    texts = [processor.apply_chat(text, frames=0) for text in ("a", "longer")]
    given = processor(texts)
    assert given["attention_mask"].sum(1).tolist() == [
        given["input_ids"].shape[1] - 5,
        given["input_ids"].shape[1],
    ]
    assert given["attention_mask"][0, :5].tolist() == [0] * 5
    assert set(given["input_ids"][0, :5].tolist()) == {processor.tokenizer.pad_token_id}
    assert processor.tokenizer.pad_token_id != processor.image_token_id


def test_the_users_own_mark_stays_text(processor: Any) -> None:
    text = processor.apply_chat("What does <image> mean?", frames=2)
    ids = processor([text], [FRAMES])["input_ids"][0]
    assert int((ids == processor.image_token_id).sum()) == 2 * TOKENS_PER_FRAME
    assert "What does <image> mean?" in processor.tokenizer.decode(ids)
    without = processor([processor.apply_chat("<image>\n?", frames=0)])["input_ids"][0]
    assert int((without == processor.image_token_id).sum()) == 0


@pytest.mark.parametrize(("frames", "text"), [(1, "?"), (3, "?"), (0, "?"), (2, "<image>\n?")])
def test_marks_that_are_not_as_many_as_frames(processor: Any, frames: int, text: str) -> None:
    held = frames + text.count("<image>")
    with pytest.raises(ValueError, match=f"{held} <image> lines .* 2 frames"):
        processor([processor.apply_chat(text, frames=frames)], [FRAMES])


def test_the_placeholders_own_token_is_refused(processor: Any) -> None:
    with pytest.raises(ValueError, match=r"holds '<\|reserved_special_token_10\|>'"):
        processor([processor.apply_chat("<|reserved_special_token_10|>", frames=2)], [FRAMES])


def test_too_long_for_the_model(processor: Any) -> None:
    with pytest.raises(ValueError, match="8 of them for 2 frames; this model was trained with at most 4096"):
        processor([processor.apply_chat("a" * 5000, frames=2)], [FRAMES])


@pytest.mark.parametrize(
    "frames",
    [FRAMES.astype(np.float32), FRAMES[0], FRAMES[..., :1], FRAMES[:0], FRAMES[:, :0]],
    ids=["float", "one picture", "grey", "no frame", "no rows"],
)
def test_frames_that_are_none(processor: Any, frames: Any) -> None:
    with pytest.raises(ValueError, match=r"give uint8 \(T, H, W, 3\)"):
        processor([LLAMA_3_TEXT], [frames])


def test_texts_and_videos_in_different_numbers(processor: Any) -> None:
    with pytest.raises(ValueError, match="1 texts, but 2 videos"):
        processor([LLAMA_3_TEXT], [FRAMES, FRAMES])


@settings(max_examples=15, deadline=None)
@given(frames=st.integers(1, 4), height=st.integers(1, 90), width=st.integers(1, 90))
def test_the_promised_number_of_tokens(loaded: tuple[Any, Any], frames: int, height: int, width: int) -> None:
    processor = loaded[1]
    given_ = processor(
        [processor.apply_chat("?", frames=frames)], [np.zeros((frames, height, width, 3), np.uint8)]
    )
    held = int((given_["input_ids"] == processor.image_token_id).sum())
    assert held == processor.visual_tokens(frames, height, width) == frames * TOKENS_PER_FRAME
    assert given_["pixel_values"].shape == (frames, 3, 42, 42)


def test_resized_as_pil_does_it(processor: Any) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (30, 70, 3), dtype=np.uint8)
    pixels = processor([processor.apply_chat("?", frames=1)], [frame[None]])["pixel_values"][0]
    small = np.asarray(Image.fromarray(frame).resize((42, 42), Image.Resampling.BICUBIC), np.float32)
    expected = torch.from_numpy((small / 255 - 0.5) / 0.5).permute(2, 0, 1)
    assert pixels.dtype == torch.float32
    assert torch.allclose(pixels, expected, atol=1e-6)


def test_bars_where_the_config_says_pad(tmp_path: Path) -> None:
    from models.vila.load import load_vila

    write_tiny_vila(tmp_path / "vila", image_aspect_ratio="pad")
    _, processor = load_vila(tmp_path / "vila", dtype=torch.float32, device="cpu")
    white = np.full((1, 20, 60, 3), 255, np.uint8)
    pixels = processor([processor.apply_chat("?", frames=1)], [white])["pixel_values"][0]
    assert pixels[:, 21].min() == 1  # the picture itself
    assert pixels[:, [0, -1]].abs().max() < 0.01  # bars: 127 of 255 is nearly 0


def test_a_padded_picture_is_in_the_middle() -> None:
    tall = padded_to_square(Image.new("RGB", (2, 6), (9, 9, 9)), (1, 2, 3))
    columns = [tall.getpixel((x, 3)) for x in range(6)]
    assert columns == [(1, 2, 3)] * 2 + [(9, 9, 9)] * 2 + [(1, 2, 3)] * 2


def test_which_token_stands_for_frames() -> None:
    llama_3, llama_2 = llama_3_tokenizer(), llama_2_tokenizer()
    assert (
        llama_3.convert_ids_to_tokens(choose_image_token(llama_3, len(llama_3)))
        == "<|reserved_special_token_10|>"
    )
    assert choose_image_token(llama_3, len(llama_3) + 64) == len(llama_3) + 63  # a row that no text reaches
    assert choose_image_token(llama_2, len(llama_2)) == llama_2.unk_token_id == 0
    assert pad_token_id(llama_2, 0) == llama_2.eos_token_id  # its own padding is <unk> too
    llama_2.unk_token = None
    with pytest.raises(ModelError, match="leave none for frames"):
        choose_image_token(llama_2, len(llama_2))
