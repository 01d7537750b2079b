"""A VILA-1.5 folder as a model and its processor, from local safetensors files only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ModelError, WeightsCorrupt
from models.quiet import no_progress_bars
from models.vila.checkpoint import check_tensors
from models.vila.config import VilaConfig, is_vila_folder, read_config, read_json

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, PreTrainedModel

    from models.vila.conversation import Conversation
    from models.vila.model import VilaModel
    from models.vila.processor import VilaProcessor
    from models.vila.projector import DownsampleProjector

__all__ = ["is_vila_folder", "load_vila"]

_PREFIX = "vision_model."  # of the published tower's tensors; newer transformers write none


def load_vila(
    path: str | Path,
    *,
    dtype: torch.dtype,
    device: str | torch.device,
    conversation: str | None = None,
    llm_options: Mapping[str, Any] | None = None,
) -> tuple[VilaModel, VilaProcessor]:
    """The model in evaluation mode on `device`, and its processor. No network is asked, no remote code is run.

    dtype: of all parts. conversation: a name in `models.vila.conversation.CONVERSATIONS`; None: told from the
    checkpoint. llm_options: further options of `from_pretrained` for the language model, such as
    `attn_implementation`, `quantization_config` or a `device_map` of its own; tower and projector lie on `device`.

    Raises:
        ModelError: The folder is not a VILA-1.5 this loader knows, or its weights are pickles.
        WeightsMissing: Weights are not there.
        WeightsCorrupt: A tensor is missing, has no place or has another shape than the configs say.
    """
    import torch

    from models.vila.conversation import choose_conversation
    from models.vila.model import VilaModel
    from models.vila.processor import VilaProcessor, choose_image_token, pad_token_id

    config = read_config(path)
    tokenizer = _tokenizer(config.llm)
    template = choose_conversation(tokenizer, folder=config.folder, name=conversation)
    # Straight to where it will lie: 16 GB of the 8B need not pass through the main memory.
    options = {"dtype": dtype, "device_map": {"": torch.device(device)}}
    vision = _vision_tower(config, options)
    images = _image_processor(config, vision.config.image_size)
    llm = _llm(config, {**options, **(llm_options or {})})
    token = choose_image_token(tokenizer, llm.config.vocab_size)
    projector = _projector(config, vision.config.hidden_size, llm.config.hidden_size, dtype)
    model = VilaModel(
        llm=llm,
        vision_tower=vision,
        projector=projector.to(device),
        image_token_id=token,
        select_layer=config.select_layer,
        generation_config=_generation_config(config, tokenizer, template, token),
    )
    processor = VilaProcessor(
        tokenizer=tokenizer,
        image_processor=images,
        conversation=template,
        image_token_id=token,
        image_aspect_ratio=config.image_aspect_ratio,
        patch_size=vision.config.patch_size,
        video_frames=config.video_frames,
        max_tokens=_max_tokens(config),
    )
    model.generation_config.pad_token_id = pad_token_id(tokenizer, token)
    model.eval()
    return model, processor


def _tokenizer(folder: Path) -> Any:
    from importlib.util import find_spec

    from transformers import AutoTokenizer

    spelled = (folder / "tokenizer.model").is_file() and not (folder / "tokenizer.json").is_file()
    if (
        spelled and find_spec("sentencepiece") is None
    ):  # the 3B's; transformers would ask for tiktoken, which is no help
        raise ModelError(
            f"{folder / 'tokenizer.model'} is read with sentencepiece; run: pip install sentencepiece"
        )
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(
            f"cannot load the tokenizer in {folder}: {_first_line(error)}; a tokenizer.json there is always enough"
        ) from error


def _llm(config: VilaConfig, options: dict[str, Any]) -> PreTrainedModel:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = config.llm
    wanted = _config(LlamaConfig, folder)
    with torch.device("meta"):
        empty = LlamaForCausalLM(wanted)
    check_tensors(
        folder,
        _shapes(empty),
        ignored=lambda name: name.endswith("rotary_emb.inv_freq"),  # computed since transformers 4.32
        optional=("lm_head.weight",) if wanted.tie_word_embeddings else (),
    )
    return _from_pretrained(LlamaForCausalLM, folder, options)


def _vision_tower(config: VilaConfig, options: dict[str, Any]) -> PreTrainedModel:
    import torch
    from transformers import SiglipVisionConfig, SiglipVisionModel

    from models.vila.checkpoint import stored_tensors

    folder = config.vision_tower
    wanted = _config(SiglipVisionConfig, folder)
    if not 0 < -config.select_layer <= wanted.num_hidden_layers + 1:
        raise ModelError(
            f"{config.folder / 'config.json'}: mm_vision_select_layer is {config.select_layer}, but the vision tower "
            f"has {wanted.num_hidden_layers} layers; write -2 as published"
        )
    # The pooling head is not used; some copies of the tower leave it out.
    wanted.vision_use_head = any(_plain(name).startswith("head.") for name in stored_tensors(folder))
    with torch.device("meta"):
        empty = SiglipVisionModel(wanted)
    check_tensors(
        folder,
        {_plain(name): shape for name, shape in _shapes(empty).items()},
        rename=_plain,
        ignored=lambda name: name.endswith("embeddings.position_ids"),  # counted, not stored, since 4.31
    )
    return _from_pretrained(SiglipVisionModel, folder, {**options, "config": wanted})


def _projector(
    config: VilaConfig, vision_width: int, text_width: int, dtype: torch.dtype
) -> DownsampleProjector:
    import torch
    from safetensors.torch import load_file

    from models.vila.projector import DownsampleProjector

    with torch.device("meta"):
        projector = DownsampleProjector(vision_width, text_width)
    stored = check_tensors(config.projector, _shapes(projector))
    weights: dict[str, torch.Tensor] = {}
    for file in sorted({tensor.file for tensor in stored.values()}):
        weights |= load_file(file)
    projector.load_state_dict(weights, assign=True)
    return projector.to(dtype)


def _image_processor(config: VilaConfig, image_size: int) -> Any:
    from transformers import (
        SiglipImageProcessorPil,
    )  # PIL resizes as it did in training; torchvision differs slightly

    where = config.vision_tower / "preprocessor_config.json"
    read_json(where)
    processor = SiglipImageProcessorPil.from_pretrained(config.vision_tower, local_files_only=True)
    height, width = processor.size["height"], processor.size["width"]
    if (height, width) != (image_size, image_size):
        raise ModelError(
            f"{where}: size is {height}x{width}, but the vision tower sees {image_size}x{image_size}; "
            "fetch the checkpoint again"
        )
    return processor


def _generation_config(
    config: VilaConfig, tokenizer: Any, template: Conversation, token: int
) -> GenerationConfig:
    """Ids only: how to sample is the engine's choice. The placeholder is never drawn."""
    from transformers import GenerationConfig

    said = read_json(config.llm / "config.json")
    if (config.llm / "generation_config.json").is_file():
        said |= {k: v for k, v in read_json(config.llm / "generation_config.json").items() if v is not None}
    ends = said.get("eos_token_id")
    stops = set(ends if isinstance(ends, list) else [] if ends is None else [ends])
    stops |= set(tokenizer.convert_tokens_to_ids(list(template.stops)))
    return GenerationConfig(
        bos_token_id=said.get("bos_token_id"), eos_token_id=sorted(stops), suppress_tokens=[token]
    )


def _max_tokens(config: VilaConfig) -> int:
    """The longest input of training, where it is said, else the longest the language model can place."""
    said = read_json(config.llm / "config.json")
    longest: int = said.get("tokenizer_model_max_length") or said.get("max_position_embeddings") or 2048
    return longest


def _config(kind: Any, folder: Path) -> Any:
    from huggingface_hub.errors import StrictDataclassError

    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError, StrictDataclassError) as error:
        raise ModelError(
            f"{folder / 'config.json'} is not usable: {_first_line(error)}; fetch it again"
        ) from error


def _from_pretrained(kind: Any, folder: Path, options: dict[str, Any]) -> PreTrainedModel:
    with no_progress_bars():
        model, report = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
    for name in sorted(
        report["missing_keys"]
    ):  # the headers were right, so the loader and we disagree on a name
        raise WeightsCorrupt(
            f"transformers found no tensor {name!r} in {folder}; report this with your version of it"
        )
    loaded: PreTrainedModel = model
    return loaded


def _shapes(network: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _plain(name: str) -> str:
    return name.removeprefix(_PREFIX)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
