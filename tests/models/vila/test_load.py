"""Loading: what is there, what is broken and named, what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import ModelError, WeightsCorrupt, WeightsMissing
from tests.models.vila.tiny import ROPE_THETA, write_tiny_vila

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from models.vila.load import is_vila_folder, load_vila  # noqa: E402

Weights = dict[str, Any]


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    """A checkpoint to break."""
    return shutil.copytree(tiny, tmp_path / "vila")


def load(folder: Path, **options: Any) -> tuple[Any, Any]:
    return load_vila(folder, dtype=torch.float32, device="cpu", **options)


def change(file: Path, edit: Callable[[Weights], object]) -> None:
    weights = load_file(file)
    edit(weights)
    save_file(
        {name: tensor.contiguous() for name, tensor in weights.items()}, file, metadata={"format": "pt"}
    )


def answer(loaded: tuple[Any, Any]) -> Any:
    model, processor = loaded
    frames = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    with torch.inference_mode():
        return model(**processor([processor.apply_chat("What?", frames=2)], [frames])).logits


def test_ids_that_end_an_answer(loaded: tuple[Any, Any]) -> None:
    model, processor = loaded
    ends = processor.tokenizer.convert_tokens_to_ids(["<|end_of_text|>", "<|eot_id|>"])
    assert model.generation_config.eos_token_id == ends
    assert model.generation_config.pad_token_id == processor.tokenizer.pad_token_id
    assert model.generation_config.bos_token_id == processor.tokenizer.bos_token_id
    assert model.generation_config.suppress_tokens == [processor.image_token_id]
    assert (processor.video_frames, processor.max_tokens) == (8, 4096)


def test_ids_of_the_generation_config_count_too(copy: Path) -> None:
    (copy / "llm" / "generation_config.json").write_text('{"eos_token_id": [257, 260]}')
    model, processor = load(copy)
    eot = processor.tokenizer.convert_tokens_to_ids("<|eot_id|>")
    assert model.generation_config.eos_token_id == [257, 260, eot]
    assert model.generation_config.bos_token_id == processor.tokenizer.bos_token_id


def test_keys_of_older_configs_are_honoured(loaded: tuple[Any, Any]) -> None:
    """`rope_theta` stands elsewhere since transformers 5; Llama 3 with the wrong one writes nonsense."""
    assert loaded[0].config.get_text_config().rope_parameters["rope_theta"] == ROPE_THETA


def test_every_part_has_the_asked_dtype(tiny: Path) -> None:
    model, _ = load_vila(tiny, dtype=torch.bfloat16, device="cpu")
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert answer((model, _)).dtype == torch.bfloat16


def test_a_chosen_attention(tiny: Path, loaded: tuple[Any, Any]) -> None:
    model, processor = load(tiny, llm_options={"attn_implementation": "eager"})
    assert model.config.get_text_config()._attn_implementation == "eager"
    assert torch.allclose(answer((model, processor)), answer(loaded), atol=1e-5)


def test_like_the_3b(tmp_path: Path) -> None:
    write_tiny_vila(tmp_path / "vila", kind="vicuna_v1")
    model, processor = load(tmp_path / "vila")
    assert processor.conversation.name == "vicuna_v1"
    assert model.generation_config.eos_token_id == [2]
    assert bool(answer((model, processor)).isfinite().all())


def test_shards(copy: Path, loaded: tuple[Any, Any]) -> None:
    shard(copy / "llm")
    assert torch.equal(answer(load(copy)), answer(loaded))


def test_a_tower_as_transformers_5_writes_it(copy: Path, loaded: tuple[Any, Any]) -> None:
    file = copy / "vision_tower" / "model.safetensors"
    plain = {name.removeprefix("vision_model."): tensor for name, tensor in load_file(file).items()}
    save_file(plain, file, metadata={"format": "pt"})
    assert torch.equal(answer(load(copy)), answer(loaded))


def test_a_tower_without_its_unused_head(copy: Path, loaded: tuple[Any, Any]) -> None:
    file = copy / "vision_tower" / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(file).items() if ".head." not in name}
    save_file(kept, file, metadata={"format": "pt"})
    assert torch.equal(answer(load(copy)), answer(loaded))


def test_tied_embeddings(copy: Path) -> None:
    config = copy / "llm" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"tie_word_embeddings": True}))
    change(copy / "llm" / "model.safetensors", lambda weights: weights.pop("lm_head.weight"))
    model, _ = load(copy)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


NAMES = [
    ("llm", "model.layers.1.mlp.up_proj.weight"),
    ("llm", "lm_head.weight"),
    ("vision_tower", "vision_model.encoder.layers.0.self_attn.k_proj.bias"),
    ("mm_projector", "layers.4.bias"),
]


@pytest.mark.parametrize(("part", "name"), NAMES)
def test_a_missing_tensor_is_named(copy: Path, part: str, name: str) -> None:
    file = copy / part / "model.safetensors"
    change(file, lambda weights: weights.pop(name))
    check_line(copy, file, f"lacks the tensor {name.removeprefix('vision_model.')!r}")


@pytest.mark.parametrize(("part", "name"), NAMES)
def test_a_tensor_of_another_shape_is_named(copy: Path, part: str, name: str) -> None:
    file = copy / part / "model.safetensors"
    change(file, lambda weights: weights.update({name: torch.zeros(7, 5)}))
    check_line(copy, file, f"the tensor {name.removeprefix('vision_model.')!r} is 7x5")


@pytest.mark.parametrize("part", ["llm", "vision_tower", "mm_projector"])
def test_a_tensor_too_many_is_named(copy: Path, part: str) -> None:
    file = copy / part / "model.safetensors"
    change(file, lambda weights: weights.update({"model.layers.9.odd": torch.zeros(1)}))
    check_line(copy, file, "holds the tensor 'model.layers.9.odd'")


def check_line(folder: Path, file: Path, says: str) -> None:
    with pytest.raises(WeightsCorrupt) as caught:
        load(folder)
    assert says in str(caught.value) and str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_tensors_that_older_writers_left_behind(copy: Path, loaded: tuple[Any, Any]) -> None:
    inv, ids = "model.layers.0.self_attn.rotary_emb.inv_freq", "vision_model.embeddings.position_ids"
    change(copy / "llm" / "model.safetensors", lambda weights: weights.update({inv: torch.ones(4)}))
    change(copy / "vision_tower" / "model.safetensors", lambda w: w.update({ids: torch.arange(9)[None]}))
    assert torch.equal(answer(load(copy)), answer(loaded))


def test_a_file_that_is_cut_off(copy: Path) -> None:
    file = copy / "vision_tower" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    check_line(copy, file, "is not a whole safetensors file")


def test_no_weights(copy: Path) -> None:
    (copy / "mm_projector" / "model.safetensors").unlink()
    with pytest.raises(WeightsMissing, match=r"no model\.safetensors and no .*index\.json in"):
        load(copy)


def test_pickles_are_refused(copy: Path) -> None:
    (copy / "llm" / "model.safetensors").rename(copy / "llm" / "pytorch_model.bin")
    with pytest.raises(
        ModelError, match=r"pytorch_model\.bin is a pickle.*save_file\(torch\.load\('pytorch_model\.bin'"
    ):
        load(copy)


def test_broken_shards(copy: Path) -> None:
    first, second = shard(copy / "llm")
    change(second, lambda weights: weights.pop("model.norm.weight"))
    check_line(
        copy, second, "lacks the tensor 'model.norm.weight' that model.safetensors.index.json promises"
    )
    first.unlink()
    with pytest.raises(WeightsMissing, match=first.name):
        load(copy)
    index = copy / "llm" / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "../a.safetensors"}}')
    check_line(copy, index, "outside of its folder")
    index.write_text("{}")
    check_line(copy, index, "has no weight_map")


def test_a_picture_size_that_the_tower_does_not_see(copy: Path) -> None:
    file = copy / "vision_tower" / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"size": {"height": 56, "width": 56}}))
    with pytest.raises(ModelError, match="size is 56x56, but the vision tower sees 42x42"):
        load(copy)
    file.unlink()
    with pytest.raises(ModelError, match=r"cannot read .*preprocessor_config\.json"):
        load(copy)


def test_a_layer_that_is_not_there(tmp_path: Path) -> None:
    write_tiny_vila(tmp_path / "vila", mm_vision_select_layer=-5)
    with pytest.raises(ModelError, match="mm_vision_select_layer is -5, but the vision tower has 3 layers"):
        load(tmp_path / "vila")


def test_no_tokenizer(copy: Path) -> None:
    for file in (copy / "llm").glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match="cannot load the tokenizer in"):
        load(copy)


def test_a_tokenizer_that_needs_a_package(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)  # as where it is not installed
    (copy / "llm" / "tokenizer.json").rename(copy / "llm" / "tokenizer.model")
    with pytest.raises(
        ModelError, match=r"tokenizer\.model is read with sentencepiece; run: pip install sentencepiece"
    ):
        load(copy)


def test_an_ordinary_folder_is_none_of_ours(tiny: Path) -> None:
    assert is_vila_folder(tiny)
    assert not is_vila_folder(tiny / "llm")


def test_asking_does_not_import_torch(tiny: Path) -> None:
    code = (
        "import sys; from models.vila.load import is_vila_folder; "
        "print(is_vila_folder(sys.argv[1]), {'torch', 'transformers', 'safetensors'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tiny)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True set()"


def shard(folder: Path) -> list[Path]:
    """Splits the one file in `folder` in two, with an index, as big checkpoints are published."""
    whole = folder / "model.safetensors"
    weights = load_file(whole)
    whole.unlink()
    names = sorted(weights)
    files = [folder / f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    parts = [names[::2], names[1::2]]
    if "model.norm.weight" not in parts[1]:
        parts.reverse()
    for file, part in zip(files, parts, strict=True):
        save_file({name: weights[name] for name in part}, file, metadata={"format": "pt"})
    places = {name: file.name for file, part in zip(files, parts, strict=True) for name in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return files


@pytest.mark.gpu
def test_on_a_gpu(tiny: Path, loaded: tuple[Any, Any]) -> None:
    model, processor = load_vila(tiny, dtype=torch.float32, device="cuda")
    assert {weight.device.type for weight in model.parameters()} == {"cuda"}
    frames = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    given = processor([processor.apply_chat("What?", frames=2)], [frames]).to("cuda")
    with torch.inference_mode():
        assert torch.allclose(model(**given).logits.cpu(), answer(loaded), atol=1e-3)
