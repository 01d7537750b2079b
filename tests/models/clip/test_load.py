"""From what a user names to an encoder: cards, places, backends, converted folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.clip.checkpoint import load_network, read_checkpoint
from models.clip.convert import save_clip
from models.clip.load import clip_card, load_clip
from models.clip.torch_encoder import TorchEncoder
from models.errors import CapabilityError, ModelError, UnknownModel, WeightsCorrupt, WeightsMissing
from models.fetching.hub import entry_of
from models.fetching.hub_cache import hub_cache
from models.locate import writers
from models.registry import registry
from tests.models.clip import tiny
from tests.models.clip.conftest import WIDTH
from tests.models.hub_files import COMMIT, write_snapshot

TEXTS = ["", "a cat on a roof", "rain"]


def features(encoder: Any) -> np.ndarray:
    found: np.ndarray = encoder.encode_texts([encoder.tokenizer.encode(text) for text in TEXTS])
    return found


def torch_features(kind: str, where: str | Path) -> np.ndarray:
    return features(load_clip(kind, where, backend="torch", device="cpu"))


@pytest.mark.parametrize("save", ["state", "wrapped", "legacy", "half"])
def test_bare_files_in_all_their_forms(checkpoints: Path, tmp_path: Path, save: str) -> None:
    tensors = tiny.clip_tensors(width=WIDTH)
    file = tmp_path / "clip.pt"
    if save == "wrapped":  # as open_clip's training leaves it
        tiny.save_pickle(tensors, file, prefix="module.", within="state_dict")
    elif save == "legacy":
        state = {name: torch.from_numpy(one) for name, one in tensors.items()}
        torch.save(state, file, _use_new_zipfile_serialization=False)
    elif save == "half":  # as OpenAI published them
        torch.save({name: torch.from_numpy(one).half() for name, one in tensors.items()}, file)
    else:
        tiny.save_pickle(tensors, file)
    card = clip_card("clip", file)
    assert card.model == "clip.pt" and card.revision.startswith("local+") and card.max_tokens == 77
    assert "quick GELU" in card.notes[0]
    tolerance = 2e-2 if save == "half" else 1e-6
    assert (
        np.abs(torch_features("clip", file) - torch_features("clip", checkpoints / "open_clip")).max()
        < tolerance
    )


def test_pickled_folders_of_open_clip_and_parts_of_transformers(checkpoints: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    tensors = tiny.clip_tensors(width=WIDTH)
    want = torch_features("clip", checkpoints / "open_clip")
    pickled = shutil.copytree(checkpoints / "open_clip", tmp_path / "pickled")
    (pickled / "open_clip_model.safetensors").unlink()
    tiny.save_pickle(tensors, pickled / "open_clip_pytorch_model.bin")
    assert np.array_equal(torch_features("clip", pickled), want)
    assert np.array_equal(torch_features("clip", pickled / "open_clip_pytorch_model.bin"), want)

    parted = shutil.copytree(checkpoints / "transformers", tmp_path / "parted")
    (parted / "model.safetensors").unlink()
    named = tiny.transformers_tensors(tensors)
    halves = {
        "model-00001-of-00002.safetensors": sorted(named)[::2],
        "model-00002-of-00002.safetensors": sorted(named)[1::2],
    }
    for file, names in halves.items():
        save_file({name: named[name] for name in names}, parted / file)
    index = {"weight_map": {name: file for file, names in halves.items() for name in names}}
    (parted / "model.safetensors.index.json").write_text(json.dumps(index))
    assert np.abs(torch_features("clip", parted) - want).max() < 1e-5
    (parted / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(WeightsMissing, match="model-00002"):
        torch_features("clip", parted)


def test_a_config_that_says_things_twice_is_read_as_transformers_does(tmp_path: Path) -> None:
    """As openai/clip-vit-large-patch14 does: whole sections, and what differs from ViT-B/32 once more."""
    from transformers import CLIPConfig

    from models.clip.layouts.transformers import transformers_config

    row = {
        "model_type": "clip",
        "projection_dim": 768,
        "text_config": {"hidden_size": 1, "hidden_act": "quick_gelu", "eos_token_id": 2},
        "text_config_dict": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
        "vision_config": {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_attention_heads": 16,
            "patch_size": 14,
        }
        | {"num_hidden_layers": 24},
        "vision_config_dict": None,
    }
    ours, theirs = transformers_config(tmp_path, row), CLIPConfig.from_dict(row)
    for tower, section in ((ours.text, theirs.text_config), (ours.vision, theirs.vision_config)):
        assert tower.width == section.hidden_size
        assert tower.layers == section.num_hidden_layers
        assert tower.heads == section.num_attention_heads
        assert tower.hidden == section.intermediate_size
    assert (ours.image_size, ours.patch_size, ours.embed_dim) == (224, 14, 768)
    assert (ours.vocab_size, ours.context, ours.end_id) == (49408, 77, 49407)


def test_a_long_clip_in_transformers_form(tmp_path: Path) -> None:
    """As others converted it: one table of 248 positions, the two made one."""
    from safetensors.numpy import save_file

    long = tiny.clip_tensors(width=WIDTH, context=248)
    table = np.concatenate([long["positional_embedding"][:20], long.pop("positional_embedding_res")[20:]])
    folder = tiny.write_clip(tmp_path / "long", "transformers", width=WIDTH)
    row = tiny.transformers_config(WIDTH)
    row["text_config"]["max_position_embeddings"] = 248
    (folder / "config.json").write_text(json.dumps(row))
    save_file(
        tiny.transformers_tensors({**long, "positional_embedding": table}), folder / "model.safetensors"
    )
    file = tiny.write_long_clip(tmp_path / "longclip-L.pt", width=WIDTH)
    assert np.abs(torch_features("long-clip", folder) - torch_features("long-clip", file)).max() < 1e-6


@pytest.mark.parametrize("kind", ["clip", "long-clip", "videoclip-xl"])
def test_a_converted_folder_gives_the_same(kind: str, checkpoints: Path, tmp_path: Path) -> None:
    where = {"clip": "open_clip_gelu", "long-clip": "longclip-L.pt", "videoclip-xl": "VideoCLIP-XL.bin"}[kind]
    before = read_checkpoint(checkpoints / where)
    save_clip(before, tmp_path / "own")
    after = read_checkpoint(tmp_path / "own")
    assert (after.config, after.preprocess, after.kind) == (before.config, before.preprocess, kind)
    one, two = load_network(before).state_dict(), load_network(after).state_dict()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert np.array_equal(torch_features(kind, checkpoints / where), torch_features(kind, tmp_path / "own"))
    (tmp_path / "own" / "clip.json").write_text('{"config": {}}')
    with pytest.raises(WeightsCorrupt, match=r"clip\.json is damaged"):
        clip_card(kind, tmp_path / "own")


def test_tensors_that_share_memory_are_stored_apart(tmp_path: Path) -> None:
    state = {name: torch.from_numpy(one) for name, one in tiny.clip_tensors().items()}
    state["visual.ln_pre.bias"] = state["visual.ln_post.bias"]
    torch.save(state, tmp_path / "x.pt")
    save_clip(read_checkpoint(tmp_path / "x.pt"), tmp_path / "own")
    assert np.array_equal(torch_features("clip", tmp_path / "x.pt"), torch_features("clip", tmp_path / "own"))


@pytest.mark.slow
def test_onnx_is_what_auto_means_on_a_cpu(checkpoints: Path) -> None:
    onnx = load_clip("long-clip", checkpoints / "longclip-L.pt", device="cpu")
    assert onnx.settings == {"backend": "onnx", "dtype": "float32", "device": "cpu"}
    assert np.abs(features(onnx) - torch_features("long-clip", checkpoints / "longclip-L.pt")).max() < 1e-4


def test_revisions_tell_weights_apart(checkpoints: Path, tmp_path: Path) -> None:
    one, two = (tiny.write_long_clip(tmp_path / f"{n}.pt", seed=n) for n in (0, 1))
    again = tmp_path / "again" / "0.pt"
    again.parent.mkdir()
    shutil.copy(one, again)
    cards = [clip_card("long-clip", file) for file in (one, two, again)]
    assert cards[0].revision == cards[2].revision != cards[1].revision


# ---- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [("clip", "clip-vit-l-14"), ("long-clip", "long-clip-l"), ("videoclip-xl", "videoclip-xl")],
)
def test_the_registry_entry_is_the_default(kind: str, name: str) -> None:
    for where in (None, name):
        with pytest.raises(WeightsMissing) as caught:
            clip_card(kind, where)
        assert f"run `vidprompter models pull {name}` (about 1.7 GB)" in str(caught.value)
    entry = registry().get(name)
    assert entry.kind == "evaluator" and entry not in writers()


@pytest.mark.parametrize(
    ("kind", "where", "error", "said"),
    [
        ("clip", "long-clip-l", ModelError, "ask for the evaluator 'long-clip'"),
        ("clip", "builtin", UnknownModel, "those that do: clip-vit-l-14, long-clip-l, videoclip-xl"),
        ("clip", "./nothing", UnknownModel, "no file or folder './nothing'"),
        ("clip", "nothing.pt", UnknownModel, "no file or folder 'nothing.pt'"),
        ("clip", "someone/something", WeightsMissing, "`vidprompter models pull someone/something`"),
        ("long-clip", "BeichenZhang/LongCLIP-L", WeightsMissing, "`vidprompter models pull long-clip-l`"),
        ("clip", "openai/clip-vit-large-patch14", WeightsMissing, "(about 1.7 GB)"),
        ("clip", "what is this", UnknownModel, "name a file, a folder, a hub id"),
        ("clap", None, UnknownModel, "there are: clip, long-clip, videoclip-xl"),
        ("clip", "ViT-L-14", WeightsMissing, "models pull timm/vit_large_patch14_clip_224.openai`"),
        ("clip", "ViT-B/32:laion2b_s34b_b79k", WeightsMissing, "laion/CLIP-ViT-B-32-laion2B-s34B-b79K`"),
        ("clip", "ViT-L-14:nothing", UnknownModel, "ViT-L-14:openai"),
        ("clip", "ViT-L-15", UnknownModel, "did you mean ViT-L-1"),
        ("clip", "ViT-H-14", UnknownModel, "name one: ViT-H-14:"),
        ("clip", "RN50", ModelError, "ResNet"),
        ("clip", "ViT-B-16-SigLIP", ModelError, "this network has no part for"),
    ],
)
def test_what_is_not_here_says_what_to_do(
    kind: str, where: str | None, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        clip_card(kind, where)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_hub_ids_and_open_clip_names_are_found_in_the_cache(checkpoints: Path) -> None:
    for repo, name in (
        ("openai/clip-vit-base-patch32", "transformers"),
        ("timm/vit_base_patch32_clip_224.openai", "open_clip"),
    ):
        files = {file.name: file.read_bytes() for file in (checkpoints / name).iterdir()}
        write_snapshot(hub_cache(), repo, files)
        assert entry_of(repo).kind == "evaluator"
    assert entry_of("someone/something").kind == "video-lmm"
    card = clip_card("clip", "openai/clip-vit-base-patch32")
    assert card.revision == f"openai/clip-vit-base-patch32@{COMMIT[:12]}"
    card = clip_card("clip", "ViT-B-32")
    assert (card.model, card.revision) == (
        "ViT-B-32",
        f"timm/vit_base_patch32_clip_224.openai@{COMMIT[:12]}+quick_gelu",
    )
    want = torch_features("clip", checkpoints / "open_clip")
    assert np.abs(torch_features("clip", "openai/clip-vit-base-patch32") - want).max() < 1e-5
    assert np.array_equal(torch_features("clip", "ViT-B-32:openai"), want)


# ---- choices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"backend": "tensorflow"}, "there are: auto, onnx, torch"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"dtype": "int8"}, "no dtype 'int8'"),
        ({"dtype": "float16", "device": "cpu"}, "float32"),
        ({"batch": 0}, "at least 1"),
    ],
)
def test_choices_that_are_none(options: dict[str, Any], said: str, checkpoints: Path) -> None:
    with pytest.raises(CapabilityError) as caught:
        load_clip("clip", checkpoints / "open_clip", **{"backend": "torch", **options})
    assert said in str(caught.value)


def test_input_of_another_form_is_told(checkpoints: Path) -> None:
    clip = load_clip("clip", checkpoints / "open_clip", backend="torch", device="cpu")
    video = load_clip("videoclip-xl", checkpoints / "VideoCLIP-XL.bin", backend="torch", device="cpu")
    picture = np.zeros((1, tiny.SIDE, tiny.SIDE, 3), np.uint8)
    for wrong in (
        lambda: clip.encode_images(picture[0]),
        lambda: clip.encode_images(picture[:, 1:]),
        lambda: clip.encode_images(picture.astype(np.float32)),  # type: ignore[arg-type]
        lambda: clip.encode_videos(picture[None]),
        lambda: video.encode_images(picture),
        lambda: video.encode_videos(np.repeat(picture[None], 3, axis=1)),
        lambda: clip.encode_texts([[]]),
        lambda: clip.encode_texts([[5] * 78]),
        lambda: clip.encode_texts([[49408]]),
    ):
        with pytest.raises(ModelError):
            wrong()
    assert clip.encode_images(picture[:0]).shape == (0, tiny.EMBED)
    assert clip.encode_texts([]).shape == (0, tiny.EMBED)


def test_a_full_gpu_halves_the_batch(checkpoints: Path) -> None:
    encoder = load_clip("clip", checkpoints / "open_clip", backend="torch", device="cpu", batch=8)
    assert isinstance(encoder, TorchEncoder)
    pictures = np.random.default_rng(0).integers(0, 256, (9, tiny.SIDE, tiny.SIDE, 3), np.uint8)
    want, whole, sizes = encoder.encode_images(pictures), encoder._network.image_features, []

    def crowded(pixels: torch.Tensor) -> torch.Tensor:
        sizes.append(len(pixels))
        if len(pixels) > room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return whole(pixels)

    encoder._network.image_features = crowded  # type: ignore[method-assign]
    room = 2
    assert np.abs(encoder.encode_images(pictures) - want).max() < 1e-6
    assert sizes == [8, 4, 2, 2, 2, 2, 1]
    room = 0
    with pytest.raises(ModelError, match="does not fit"):
        encoder.encode_images(pictures)


def test_a_card_of_a_folder_needs_no_torch(checkpoints: Path) -> None:
    code = "import sys; from models.clip.load import clip_card; clip_card('clip', sys.argv[1]); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, checkpoints / "transformers"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert done.stdout.strip() == "False"


@pytest.mark.gpu
def test_float16_on_a_gpu_is_near(checkpoints: Path) -> None:
    encoder = load_clip("clip", checkpoints / "open_clip", backend="torch", device="cuda")
    assert encoder.settings["dtype"] == "float16"
    assert np.abs(features(encoder) - torch_features("clip", checkpoints / "open_clip")).max() < 5e-3
