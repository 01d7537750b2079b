"""Tiny random checkpoints of each family, written to disk by the real classes in the family's own format.

The weights are random and the chat templates ours (the published ones cannot be had offline); networks, processors
and file formats are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.3,
}
IMAGE, PATCH = 28, 14
CLIP_TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": IMAGE,
    "patch_size": PATCH,
    "projection_dim": 32,
}
MERGES = ["t h", "i n", "a n", "th e", "o u", "e r", "Ġ a", "Ġ the", "in g", "c a"]


def tokenizer(specials: dict[str, str], plain: tuple[str, ...] = ()) -> Any:
    """A byte-level BPE of 256 bytes and a few merges; `specials` are named attributes, `plain` further tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [tuple(m.split()) for m in MERGES]
    vocab = {token: n for n, token in enumerate([*alphabet, *("".join(m) for m in merges)])}
    fast = Tokenizer(BPE(vocab=vocab, merges=merges))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    names = ["<|end|>", "<|pad|>", *specials.values(), *plain]
    fast.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    return PreTrainedTokenizerFast(
        tokenizer_object=fast, eos_token="<|end|>", pad_token="<|pad|>", extra_special_tokens=specials
    )


def template(video: str) -> str:
    """A chat template in which a video is `video`."""
    return (
        "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
        "{% if part['type'] == 'video' %}" + video + "\n{% elif part['type'] == 'text' %}{{ part['text'] }}"
        "{% endif %}{% endfor %}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )


def _seeded() -> None:
    import torch

    torch.manual_seed(0)


def _save(folder: Path, model: Any, processor: Any, tok: Any) -> Path:
    model.generation_config.eos_token_id = tok.eos_token_id
    model.generation_config.pad_token_id = tok.pad_token_id
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def qwen2_5_vl(folder: Path) -> Path:
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    tok = tokenizer(
        {
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_start_token": "<|vision_start|>",
            "vision_end_token": "<|vision_end|>",
        }
    )
    config = Qwen2_5_VLConfig(
        text_config=LLAMA
        | {
            "vocab_size": len(tok),
            "eos_token_id": tok.eos_token_id,
            "bos_token_id": tok.eos_token_id,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 4,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
            "window_size": 56,
        },
        **_token_ids(tok),
    )
    _seeded()
    limits = {"size": {"shortest_edge": 28 * 28, "longest_edge": 56 * 56}}
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**limits),
        tok,
        Qwen2VLVideoProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 56 * 56 * 4}),
        chat_template=template("<|vision_start|><|video_pad|><|vision_end|>"),
    )
    return _save(folder, Qwen2_5_VLForConditionalGeneration(config), processor, tok)


def qwen3_vl(folder: Path) -> Path:
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tok = tokenizer(
        {
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_start_token": "<|vision_start|>",
            "vision_end_token": "<|vision_end|>",
        }
    )
    config = Qwen3VLConfig(
        text_config=LLAMA
        | {
            "vocab_size": len(tok),
            "head_dim": 8,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [2, 1, 1],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 4,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        **_token_ids(tok),
    )
    _seeded()
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(patch_size=16, size={"shortest_edge": 32 * 32, "longest_edge": 64 * 64}),
        tok,
        Qwen3VLVideoProcessor(size={"shortest_edge": 32 * 32, "longest_edge": 64 * 64 * 4}),
        chat_template=template("<|vision_start|><|video_pad|><|vision_end|>"),
    )
    return _save(folder, Qwen3VLForConditionalGeneration(config), processor, tok)


def llava_onevision(folder: Path) -> Path:
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        LlavaOnevisionImageProcessor,
        LlavaOnevisionProcessor,
        LlavaOnevisionVideoProcessor,
        Qwen2Config,
        SiglipVisionConfig,
    )

    tok = tokenizer({"image_token": "<image>", "video_token": "<video>"})
    config = LlavaOnevisionConfig(
        text_config=Qwen2Config(vocab_size=len(tok), **LLAMA),
        vision_config=SiglipVisionConfig(**{k: v for k, v in CLIP_TOWER.items() if k != "projection_dim"}),
        image_token_index=tok.convert_tokens_to_ids("<image>"),
        video_token_index=tok.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[IMAGE, IMAGE]],
    )
    _seeded()
    size = {"height": IMAGE, "width": IMAGE}
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=[[IMAGE, IMAGE]]),
        tok,
        LlavaOnevisionVideoProcessor(size=size),
        num_image_tokens=(IMAGE // PATCH) ** 2,
        vision_feature_select_strategy="full",
        chat_template=template("<video>"),
    )
    return _save(folder, LlavaOnevisionForConditionalGeneration(config), processor, tok)


def llava_next_video(folder: Path) -> Path:
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaNextImageProcessor,
        LlavaNextVideoConfig,
        LlavaNextVideoForConditionalGeneration,
        LlavaNextVideoProcessor,
        LlavaNextVideoVideoProcessor,
    )

    tok = tokenizer({"image_token": "<image>", "video_token": "<video>"})
    config = LlavaNextVideoConfig(
        text_config=LlamaConfig(vocab_size=len(tok), **LLAMA),
        vision_config=CLIPVisionConfig(**CLIP_TOWER),
        image_token_index=tok.convert_tokens_to_ids("<image>"),
        video_token_index=tok.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[IMAGE, IMAGE]],
    )
    _seeded()
    size = {"shortest_edge": IMAGE}
    crop = {"height": IMAGE, "width": IMAGE}
    processor = LlavaNextVideoProcessor(
        LlavaNextVideoVideoProcessor(size=size, crop_size=crop),
        LlavaNextImageProcessor(size=size, crop_size=crop, image_grid_pinpoints=[[IMAGE, IMAGE]]),
        tok,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template("<video>"),
    )
    return _save(folder, LlavaNextVideoForConditionalGeneration(config), processor, tok)


def internvl(folder: Path) -> Path:
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
        InternVLVisionConfig,
        Qwen2Config,
    )

    tok = tokenizer(
        {
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        }
    )
    config = InternVLConfig(
        text_config=Qwen2Config(vocab_size=len(tok), **LLAMA),
        vision_config=InternVLVisionConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=[IMAGE, IMAGE],
            patch_size=[7, 7],
        ),
        image_token_id=tok.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    _seeded()
    size = {"height": IMAGE, "width": IMAGE}
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(size=size),
        tok,
        InternVLVideoProcessor(size=size),
        image_seq_length=4,
        chat_template=template("<video>"),
    )
    return _save(folder, InternVLForConditionalGeneration(config), processor, tok)


def smolvlm(folder: Path) -> Path:
    from transformers import (
        LlamaConfig,
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
        SmolVLMVisionConfig,
    )

    tok = tokenizer(
        {
            "image_token": "<image>",
            "fake_image_token": "<fake_token_around_image>",
            "global_image_token": "<global-img>",
            "end_of_utterance_token": "<end_of_utterance>",
            "video_token": "<video>",
        }
    )
    config = SmolVLMConfig(
        text_config=LlamaConfig(vocab_size=len(tok), pad_token_id=tok.pad_token_id, **LLAMA),
        vision_config=SmolVLMVisionConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=IMAGE,
            patch_size=7,
        ),
        image_token_id=tok.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    _seeded()
    sizes = {"size": {"longest_edge": IMAGE}, "max_image_size": {"longest_edge": IMAGE}}
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(**sizes, do_image_splitting=False),
        tok,
        SmolVLMVideoProcessor(
            **sizes, video_sampling={"fps": 1, "max_frames": 8, "video_size": {"longest_edge": IMAGE}}
        ),
        image_seq_len=4,
        chat_template=template("<video>"),
    )
    return _save(folder, SmolVLMForConditionalGeneration(config), processor, tok)


def video_llava(folder: Path) -> Path:
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        VideoLlavaConfig,
        VideoLlavaForConditionalGeneration,
        VideoLlavaImageProcessor,
        VideoLlavaProcessor,
        VideoLlavaVideoProcessor,
    )

    tok = tokenizer({"image_token": "<image>", "video_token": "<video>"})
    config = VideoLlavaConfig(
        text_config=LlamaConfig(vocab_size=len(tok), **LLAMA),
        vision_config=CLIPVisionConfig(**CLIP_TOWER),
        image_token_index=tok.convert_tokens_to_ids("<image>"),
        video_token_index=tok.convert_tokens_to_ids("<video>"),
    )
    _seeded()
    size = {"shortest_edge": IMAGE}
    crop = {"height": IMAGE, "width": IMAGE}
    processor = VideoLlavaProcessor(
        VideoLlavaImageProcessor(size=size, crop_size=crop),
        VideoLlavaVideoProcessor(size=size, crop_size=crop),
        tok,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template("<video>"),
    )
    return _save(folder, VideoLlavaForConditionalGeneration(config), processor, tok)


def _token_ids(tok: Any) -> dict[str, int]:
    names = ("image_token", "video_token", "vision_start_token", "vision_end_token")
    return {
        f"{name}_id": tok.convert_tokens_to_ids(
            tok.init_kwargs["extra_special_tokens"][name]
            if "extra_special_tokens" in tok.init_kwargs
            else getattr(tok, name)
        )
        for name in names
    }


FAMILIES: dict[str, Callable[[Path], Path]] = {
    one.__name__: one
    for one in (qwen2_5_vl, qwen3_vl, llava_onevision, llava_next_video, internvl, smolvlm, video_llava)
}
