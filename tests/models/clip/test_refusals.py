"""A checkpoint that is not whole, not known or not what it is called is refused, and the message says why."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.clip.checkpoint import check_kind, load_network, read_checkpoint
from models.errors import ModelError, VidPrompterError, WeightsCorrupt, WeightsMissing
from tests.models.clip import tiny

FORMS = ("openai", "long", "video", "transformers", "open_clip")
MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@lru_cache(maxsize=1)
def small() -> dict[str, tiny.Tensors]:
    """The tensors of each form; a vocabulary of the full size, since a bare file must have that."""
    return {
        "openai": tiny.clip_tensors(),
        "open_clip": tiny.clip_tensors(),
        "long": tiny.clip_tensors(context=248),
        "video": tiny.videoclip_tensors(),
        "transformers": tiny.transformers_tensors(tiny.clip_tensors()),
    }


def write(form: str, tensors: tiny.Tensors, folder: Path) -> Path:
    """A checkpoint of these tensors; safetensors, which is quick."""
    from safetensors.numpy import save_file

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = {"transformers": "model.safetensors", "open_clip": "open_clip_model.safetensors"}
    file = folder / names.get(form, "weights.safetensors")
    save_file({name: np.ascontiguousarray(one) for name, one in tensors.items()}, file)
    if form == "transformers":
        (folder / "config.json").write_text(json.dumps(tiny.transformers_config()))
        return folder
    if form == "open_clip":
        (folder / "open_clip_config.json").write_text(json.dumps(tiny.open_clip_config()))
        return folder
    return file


def error_of(where: Path) -> str:
    """The one line that the refusal says."""
    with pytest.raises(WeightsCorrupt) as caught:
        load_network(read_checkpoint(where))
    line = str(caught.value)
    assert "\n" not in line
    return line


HARMLESS = {"logit_scale", "text_model.logit_scale", "vision_model.temp"}
some_form = st.sampled_from(FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_whole_ones_load(form: str, tmp_path: Path) -> None:
    network = load_network(read_checkpoint(write(form, small()[form], tmp_path / "x")))
    assert all(parameter.device.type == "cpu" for parameter in network.parameters())
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())


@MANY
@given(some_form, st.data())
def test_a_dropped_tensor_is_named(tmp_path: Path, form: str, data: st.DataObject) -> None:
    tensors = dict(small()[form])
    name = data.draw(st.sampled_from(sorted(tensors.keys() - HARMLESS)))
    del tensors[name]
    assert name in error_of(write(form, tensors, tmp_path / "x"))


@MANY
@given(some_form, st.data())
def test_a_renamed_tensor_is_named(tmp_path: Path, form: str, data: st.DataObject) -> None:
    tensors = dict(small()[form])
    name = data.draw(st.sampled_from(sorted(tensors)))
    tensors[f"{name}.old"] = tensors.pop(name)
    line = error_of(write(form, tensors, tmp_path / "x"))
    assert name in line
    assert f"{name}.old" in line or "missing" in line


@MANY
@given(some_form, st.data())
def test_a_reshaped_tensor_is_named(tmp_path: Path, form: str, data: st.DataObject) -> None:
    tensors = dict(small()[form])
    name = data.draw(st.sampled_from(sorted(tensors)))
    shape = list(tensors[name].shape)
    if shape:
        axis = data.draw(st.integers(0, len(shape) - 1))
        shape[axis] += data.draw(st.sampled_from([1, -1] if shape[axis] > 1 else [1]))
    else:
        shape = [3]
    tensors[name] = np.zeros(shape, np.float32)  # finite, so that only the shape is wrong
    line = error_of(write(form, tensors, tmp_path / "x"))
    assert name in line
    assert "x".join(map(str, shape)) in line


@MANY
@given(some_form, st.data(), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_tensor_that_is_not_finite_is_named(
    tmp_path: Path, form: str, data: st.DataObject, value: float
) -> None:
    tensors = dict(small()[form])
    name = data.draw(st.sampled_from(sorted(tensors.keys() - HARMLESS)))
    spoilt = tensors[name].copy()
    spoilt.flat[data.draw(st.integers(0, spoilt.size - 1))] = value
    tensors[name] = spoilt
    line = error_of(write(form, tensors, tmp_path / "x"))
    # of the three packed matrices that transformers takes apart, the first is named
    assert name in line or name.replace("k_proj", "q_proj").replace("v_proj", "q_proj") in line
    assert "NaN or infinite" in line


def test_at_most_three_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    tensors = {name: one for name, one in small()["open_clip"].items() if "mlp.c_proj" not in name}
    line = error_of(write("open_clip", tensors, tmp_path / "x"))
    assert line.count("is missing") == 3
    assert "(64x256)" in line
    assert line.endswith("; and 5 more")


def test_both_shapes_are_told(tmp_path: Path) -> None:
    tensors = {**small()["openai"], "visual.proj": np.zeros((64, 33), np.float32)}
    line = error_of(write("openai", tensors, tmp_path / "x"))
    assert "'visual.proj' is 64x33 and 'text_projection' is 64x32" in line
    line = error_of(write("open_clip", tensors, tmp_path / "x"))  # its config says which is right
    assert "'visual.proj' is 64x33 instead of 64x32" in line


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    tensors = {**small()["openai"], "ln_final.weight": np.ones(64, np.int8)}  # type: ignore[dict-item]
    assert "'ln_final.weight' holds torch.int8" in error_of(write("openai", tensors, tmp_path / "x"))


@pytest.mark.parametrize("prefix", ["transformer.", "visual.transformer."])
def test_a_gap_in_the_layers_is_named(tmp_path: Path, prefix: str) -> None:
    tensors = {
        k.replace(f"{prefix}resblocks.1.", f"{prefix}resblocks.2."): v for k, v in small()["openai"].items()
    }
    assert f"{prefix}resblocks.1" in error_of(write("openai", tensors, tmp_path / "x"))


def test_a_published_width_must_have_the_published_depth(tmp_path: Path) -> None:
    """The last layer of a text tower as wide as ViT-L/14's is not there; nothing else would tell."""
    tensors = tiny.clip_tensors()
    wide = {name: _wider(one, 512) for name, one in tensors.items() if not name.startswith("visual.")}
    whole = {**wide, **{name: one for name, one in tensors.items() if name.startswith("visual.")}}
    line = error_of(write("openai", whole, tmp_path / "x"))
    assert "has 2 layers of width 512; the published networks have 12" in line


def _wider(tensor: np.ndarray, width: int) -> np.ndarray:
    shape = tuple(width * size // 64 if size in (64, 192, 256) else size for size in tensor.shape)
    return np.zeros(shape, np.float32)


def test_heads_that_cannot_be_told(tmp_path: Path) -> None:
    tensors = {
        name: np.zeros(
            [96 * size // 64 if size in (64, 192, 256) else size for size in one.shape], np.float32
        )
        for name, one in tiny.clip_tensors().items()
    }
    assert "heads of 64 do not divide the width 96" in error_of(write("openai", tensors, tmp_path / "x"))


@pytest.mark.parametrize(
    ("form", "name", "fine", "wrong"),
    [
        ("openai", "logit_scale", (1,), (2,)),
        ("openai", "input_resolution", (), (7,)),
        ("openai", "context_length", (), (7,)),
        ("openai", "vocab_size", (), (7,)),
        ("long", "logit_scale", (), (2, 2)),
        ("video", "vision_model.temp", (), (3,)),
        ("video", "text_model.logit_scale", (), (3,)),
        ("transformers", "text_model.embeddings.position_ids", (1, 77), (1, 78)),
        ("transformers", "vision_model.embeddings.position_ids", (5,), (4,)),
    ],
)
def test_what_is_harmless_may_lie_beside_the_weights_in_its_shape_only(
    form: str, name: str, fine: tuple[int, ...], wrong: tuple[int, ...], tmp_path: Path
) -> None:
    load_network(
        read_checkpoint(write(form, {**small()[form], name: np.ones(fine, np.float32)}, tmp_path / "x"))
    )
    line = error_of(write(form, {**small()[form], name: np.ones(wrong, np.float32)}, tmp_path / "x"))
    assert name in line and "x".join(map(str, wrong)) in line


# ---- another kind -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "kind", "said"),
    [
        ("openai", "long-clip", "is a CLIP (77 positions) and no Long-CLIP; name it clip="),
        ("openai", "videoclip-xl", "is a CLIP (77 positions) and no VideoCLIP-XL; name it clip="),
        ("long", "clip", "is a Long-CLIP (248 positions) and no CLIP; name it long-clip="),
        (
            "video",
            "long-clip",
            "is a VideoCLIP-XL (248 positions and 8 frames) and no Long-CLIP; name it videoclip-xl=",
        ),
    ],
)
def test_another_kind_is_told(form: str, kind: str, said: str, tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write(form, small()[form], tmp_path / "x"))
    with pytest.raises(ModelError, match=r"name it") as caught:
        check_kind(checkpoint, kind)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("visual.layer1.0.conv1.weight", "ResNet"),
        ("visual.attnpool.positional_embedding", "ResNet"),
        ("logit_bias", "SigLIP"),
        ("visual.trunk.patch_embed.proj.weight", "SigLIP"),
        ("text.transformer.embeddings.weight", "text tower of its own"),
        ("vision_model.encoder.layers.0.layer_norm1.weight", "config.json"),
        ("text_encoder.positional_embedding", "ViCLIP"),
    ],
)
def test_other_networks_are_told(name: str, said: str, tmp_path: Path) -> None:
    where = write("openai", {name: np.zeros((2, 2), np.float32)}, tmp_path / "x")
    with pytest.raises(ModelError, match=said):
        read_checkpoint(where)


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("config.json", {"model_type": "siglip"}, "siglip"),
        ("config.json", {"text_config": None}, "no text_config"),
        ("config.json", {"projection_dim": "wide"}, "embed_dim"),
        ("preprocessor_config.json", {"resample": 2}, "resample is 2"),
        ("preprocessor_config.json", {"do_center_crop": False}, "do_center_crop is False"),
        ("preprocessor_config.json", {"size": {"shortest_edge": 48}}, "size is"),
        ("preprocessor_config.json", {"image_std": [0.2, 0.2]}, "image_std"),
        ("preprocessor_config.json", {"rescale_factor": 1.0}, "rescale_factor"),
    ],
)
def test_settings_of_transformers_that_are_not_known(
    file: str, change: dict[str, object], said: str, tmp_path: Path
) -> None:
    folder = write("transformers", small()["transformers"], tmp_path / "x")
    row = tiny.transformers_config() if file == "config.json" else tiny.preprocessor_config()
    (folder / file).write_text(json.dumps({**row, **change}))
    with pytest.raises(ModelError, match=said):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("section", "change", "said"),
    [
        ("vision_cfg", {"layers": [3, 4, 6, 3]}, "ResNet"),
        ("vision_cfg", {"timm_model_name": "vit_so400m"}, "timm_model_name"),
        ("vision_cfg", {"pool_type": "avg"}, "pool_type"),
        ("text_cfg", {"hf_model_name": "roberta-base"}, "hf_model_name"),
        ("text_cfg", {"pool_type": "eos"}, "pool_type"),
        ("text_cfg", {"something_new": 1}, "something_new"),
        ("preprocess_cfg", {"interpolation": "bilinear"}, "interpolation"),
        ("preprocess_cfg", {"resize_mode": "longest"}, "resize_mode"),
    ],
)
def test_settings_of_open_clip_that_are_not_known(
    section: str, change: dict[str, object], said: str, tmp_path: Path
) -> None:
    folder = write("open_clip", small()["open_clip"], tmp_path / "x")
    row = tiny.open_clip_config()
    part = row[section] if section == "preprocess_cfg" else row["model_cfg"][section]
    part.update(change)
    (folder / "open_clip_config.json").write_text(json.dumps(row))
    with pytest.raises(ModelError, match=said):
        read_checkpoint(folder)


# ---- no checkpoint at all -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>" * 9, "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS"),
        (b"GGUF\x03\x00\x00\x00" * 9, "like neither safetensors nor torch"),
        (b"\x80\x02", "no whole checkpoint"),
        (b"\x80\x02}q\x00.", "no whole checkpoint"),
        (b"PK\x03\x04" + bytes(200), "no whole checkpoint"),
    ],
)
@pytest.mark.parametrize("name", ["longclip-L.pt", "model.safetensors", "VideoCLIP-XL.bin"])
def test_what_is_no_checkpoint(content: bytes, said: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert said in error_of(tmp_path / name)


@pytest.mark.parametrize("save", ["safetensors", "torch", "legacy"])
@pytest.mark.parametrize("share", [0.001, 0.3, 0.9999])
def test_a_truncated_file(save: str, share: float, tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    if save == "safetensors":
        shutil.copy(write("openai", small()["openai"], tmp_path / "x"), file)
    else:
        state = {name: torch.from_numpy(one) for name, one in small()["openai"].items()}
        torch.save(state, file, _use_new_zipfile_serialization=save == "torch")
        load_network(read_checkpoint(file))
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    assert "\n" not in error_of(file)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([b"\x80\x02", b"PK\x03\x04", b"\x10\0\0\0\0\0\0\0{", b""]), st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(tmp_path: Path, start: bytes, rest: bytes) -> None:
    (tmp_path / "x.bin").write_bytes(start + rest)
    with pytest.raises(VidPrompterError) as caught:
        read_checkpoint(tmp_path / "x.bin")
    assert "\n" not in str(caught.value)


class Runs:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path.touch, (Path("ran"),)  # type: ignore[return-value]


def test_a_pickle_that_would_run_code_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"visual.proj": Runs()}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="more than tensors") as caught:
        read_checkpoint(tmp_path / "x.pt")
    assert "models pull" in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_a_torchscript_archive_names_the_form_to_take(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ViT-L-14.pt", "w") as archive:
        for name in ("data.pkl", "constants.pkl", "version", "code/__torch__/model.py"):
            archive.writestr(f"ViT-L-14/{name}", b"3\n")
    with pytest.raises(ModelError, match="TorchScript") as caught:
        read_checkpoint(tmp_path / "ViT-L-14.pt")
    assert "`vidprompter models pull openai/clip-vit-large-patch14`" in str(caught.value)


def test_missing_files_say_so(tmp_path: Path) -> None:
    for form, gone in (("transformers", "model.safetensors"), ("open_clip", "open_clip_model.safetensors")):
        folder = write(form, {"x": np.zeros(1, np.float32)}, tmp_path / form)
        (folder / gone).unlink()
        with pytest.raises(WeightsMissing, match=gone):
            read_checkpoint(folder)
    with pytest.raises(WeightsMissing, match="holds no checkpoint"):
        read_checkpoint(tmp_path)
