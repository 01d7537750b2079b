"""The root config: what is recognised, and one line for everything that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.errors import ModelError
from models.vila.config import is_vila_folder, read_config

LLM = {"model_type": "llama"}
TOWER = {"model_type": "siglip_vision_model", "image_size": 384}
PROJECTOR = {"mm_projector_type": "mlp_downsample"}


def layout(folder: Path, **changed: Any) -> Path:
    """The configs of a checkpoint without its weights. changed: keys of the root config."""
    parts = {"llm": LLM, "vision_tower": TOWER, "mm_projector": PROJECTOR}
    for name, content in parts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(content))
    root = {
        "model_type": "llava_llama",
        "llm_cfg": {},
        "vision_tower_cfg": {},
        "mm_projector_cfg": {},
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "cls_patch",
        "image_aspect_ratio": "resize",
        "num_video_frames": 8,
        "s2": False,
        "vision_resolution": -1,
    }
    (folder / "config.json").write_text(json.dumps(root | changed))
    return folder


def test_the_published_form(tmp_path: Path) -> None:
    config = read_config(layout(tmp_path))
    assert config.llm == tmp_path / "llm"
    assert (config.select_layer, config.image_aspect_ratio, config.video_frames) == (-2, "resize", 8)


def test_parts_as_names_of_folders(tmp_path: Path) -> None:
    layout(tmp_path, llm_cfg="./language", vision_tower_cfg="vision_tower", mm_projector_cfg="mm_projector")
    (tmp_path / "llm").rename(tmp_path / "language")
    config = read_config(tmp_path)
    assert config.llm.resolve() == (tmp_path / "language").resolve()
    assert config.projector == tmp_path / "mm_projector"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("model_type", "llava_mistral", "'llava_llama'"),
        ("s2", True, "false"),
        ("dynamic_s2", True, "false"),
        ("mm_use_im_start_end", True, "false"),
        ("mm_vision_select_feature", "patch", "'cls_patch'"),
        ("mm_vision_select_layer", "-2", "a whole number"),
        ("mm_vision_select_layer", 3, "-1 or less"),
        ("num_video_frames", 0, "1 or more"),
        ("num_video_frames", True, "a whole number"),
        ("image_aspect_ratio", "dynamic", "'resize' or 'pad'"),
        ("vision_resolution", 448, "-1 or 384"),
        ("llm_cfg", None, "a nested config or the name of a folder"),
    ],
)
def test_a_value_that_is_not_known(tmp_path: Path, key: str, value: Any, says: str) -> None:
    layout(tmp_path, **{key: value})
    with pytest.raises(ModelError) as caught:
        read_config(tmp_path)
    line = str(caught.value)
    assert key in line and repr(value) in line and says in line and "\n" not in line


@pytest.mark.parametrize(
    ("part", "content", "says"),
    [
        ("llm", {"model_type": "qwen2"}, "model_type is 'qwen2', this loader knows 'llama'"),
        ("vision_tower", {"model_type": "intern_vit_6b"}, "knows 'siglip_vision_model'"),
        ("mm_projector", {"mm_projector_type": "mlp2x_gelu"}, "mm_projector_type is 'mlp2x_gelu'"),
    ],
)
def test_a_part_of_another_kind(tmp_path: Path, part: str, content: dict[str, Any], says: str) -> None:
    layout(tmp_path)
    (tmp_path / part / "config.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=says):
        read_config(tmp_path)


@pytest.mark.parametrize("entry", ["../elsewhere", "runs/train/model/llm", "some-org/some-model"])
def test_a_part_outside_of_the_folder(tmp_path: Path, entry: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    layout(tmp_path / "checkpoint", llm_cfg=entry)
    with pytest.raises(ModelError, match=r"llm_cfg stands for the folder .* write 'llm' there"):
        read_config(tmp_path / "checkpoint")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*config\.json"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="is not JSON"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="holds a list"):
        read_config(tmp_path)


def test_what_is_a_vila_folder(tmp_path: Path) -> None:
    assert is_vila_folder(layout(tmp_path / "vila"))
    assert is_vila_folder(str(tmp_path / "vila"))


@pytest.mark.parametrize("text", ['{"model_type": "llava", "text_config": {}}', "[]", "{", "\udcff"])
def test_what_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    assert not is_vila_folder(tmp_path)
    assert not is_vila_folder(tmp_path / "config.json")
    assert not is_vila_folder("some-org/some-model")
