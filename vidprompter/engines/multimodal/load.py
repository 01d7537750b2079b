"""Loading a video model and its processor: dtype, device and attention kernel chosen and said."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.quiet import no_progress_bars
from vidprompter.engines.options import EngineOptions
from vidprompter.errors import CapabilityError, ModelError, WeightsCorrupt

if TYPE_CHECKING:
    import torch

    from models.locate import Located

_NAMED = 3  # tensors that an error names


@dataclass(frozen=True)
class VideoModel:
    """A model in evaluation mode with its processor. dtype, device: as chosen. why: one line for people."""

    model: Any
    processor: Any
    dtype: str
    device: str
    why: str


def load_video_model(located: Located, options: EngineOptions) -> VideoModel:
    """The model in that folder; no network is asked and no code of the folder is run.

    Raises:
        CapabilityError: it cannot see a video.
        WeightsCorrupt: a tensor is missing or has another shape than config.json says.
        ModelError: transformers does not know such a model, or there is no such device.
    """
    from models.language import working_device

    device = str(working_device("cuda" if options.device == "split" else options.device))
    dtype, why = choose_dtype(options.dtype, device, stored_dtype(located.folder))
    if located.kind == "vila":
        return _vila(located, options, dtype, device, why)
    config = _config(located.folder, located.name)
    processor = _processor(located.folder, located.name)
    attention = choose_attention(options.attention, device, dtype)
    with no_progress_bars():
        model, attention = _model(located, config, options, dtype, device, attention)
    return VideoModel(
        model, processor, _name(dtype), device, _said(located.name, options, dtype, device, attention, why)
    )


def stored_dtype(folder: Path) -> str | None:
    """The dtype that config.json names, e.g. "bfloat16"; None where it names none."""
    import json

    for place in (folder / "config.json", folder / "llm" / "config.json"):
        if place.is_file():
            raw = json.loads(place.read_text(encoding="utf-8"))
            found = raw.get("dtype") or raw.get("torch_dtype") or (raw.get("text_config") or {}).get("dtype")
            if found:
                return str(found).removeprefix("torch.")
    return None


def choose_dtype(wanted: str, device: str, stored: str | None) -> tuple[torch.dtype, str]:
    """The dtype to compute in, and why.

    "auto" on a CPU keeps weights that are stored in float32 in float32; all others take the precision that the
    device computes fast in.
    """
    import torch

    from models.language import working_dtype

    if wanted == "auto" and stored == "float32" and not device.startswith("cuda"):
        return torch.float32, "as stored"
    return working_dtype(wanted, device)


def choose_attention(wanted: str, device: str, dtype: torch.dtype) -> str:
    """The attention kernel: FlashAttention where it is installed and works, else torch's own."""
    if wanted != "auto":
        return wanted
    half = _name(dtype) in ("bfloat16", "float16")
    if device.startswith("cuda") and half and find_spec("flash_attn") is not None:
        return "flash_attention_2"
    return "sdpa"


def _vila(located: Located, options: EngineOptions, dtype: torch.dtype, device: str, why: str) -> VideoModel:
    from models.vila.load import load_vila

    if options.quantize or options.device == "split":
        raise CapabilityError(
            f"{located.name} has VILA's layout, which is loaded whole onto one device; leave out "
            f"{'--quantize' if options.quantize else '--device split'}"
        )
    with no_progress_bars():
        model, processor = load_vila(
            located.folder, dtype=dtype, device=device, conversation=options.conversation
        )
    return VideoModel(
        model,
        processor,
        _name(dtype),
        device,
        f"{located.name}: {_name(dtype)} on {device} ({why}), conversation {processor.conversation.name}, "
        f"{options.frames} frames a clip",
    )


def _config(folder: Path, name: str) -> Any:
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, KeyError, OSError) as error:
        raise ModelError(
            f"{name}: this version of transformers cannot read its config.json: {_line(error)}"
        ) from error
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise CapabilityError(
            f"{name} is a {config.model_type!r} model, which reads no video; take a video model, such as Qwen2.5-VL"
        )
    return config


def _processor(folder: Path, name: str) -> Any:
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except ImportError as error:
        raise ModelError(f"{name}: its processor needs another package: {_line(error)}") from error
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise ModelError(f"{name}: its processor cannot be loaded: {_line(error)}") from error
    if getattr(processor, "video_processor", None) is None:
        raise CapabilityError(f"{name} has no video processor: it reads pictures, not videos")
    if getattr(processor.video_processor, "cap_pixels_per_frame", False) is None:
        # Qwen's own implementation bounds the pixels of a frame, which transformers leaves open unless told.
        processor.video_processor.cap_pixels_per_frame = True
    return processor


def _model(
    located: Located, config: Any, options: EngineOptions, dtype: torch.dtype, device: str, attention: str
) -> tuple[Any, str]:
    from transformers import AutoModelForImageTextToText

    placing: dict[str, Any] = {}
    if options.quantize is not None:
        placing["quantization_config"] = _quantization(options.quantize, dtype, device)
    if options.device == "split":
        placing["device_map"] = "auto"
    elif options.quantize is not None:
        placing["device_map"] = {"": device}

    def load(kernel: str) -> tuple[Any, dict[str, Any]]:
        loaded: tuple[Any, dict[str, Any]] = AutoModelForImageTextToText.from_pretrained(
            located.folder,
            config=config,
            dtype=dtype,
            attn_implementation=kernel,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that `_check_whole` can name them
            **placing,
        )
        return loaded

    try:
        try:
            model, info = load(attention)
        except (ValueError, ImportError):
            if attention == "eager" or options.attention != "auto":
                raise
            attention = "eager"  # a model that was written without the faster kernels
            model, info = load(attention)
    except OSError as error:
        raise ModelError(f"{located.name}: {_line(error)}; weights must be safetensors files") from error
    except (ValueError, ImportError, RuntimeError) as error:
        raise WeightsCorrupt(f"{located.name} cannot be loaded: {_line(error)}") from error
    _check_whole(located.name, info)
    if not placing:
        model.to(device)
    return model.eval(), attention


def _check_whole(name: str, info: dict[str, Any]) -> None:
    """transformers fills what is missing with random numbers; here that is an error."""
    missing = sorted(map(str, info.get("missing_keys") or ()))
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise WeightsCorrupt(
            f"{name} lacks the tensor {', '.join(missing[:_NAMED])}{more}; fetch the model again"
        )
    if wrong := sorted(map(str, info.get("mismatched_keys") or ())):
        raise WeightsCorrupt(
            f"{name}: another shape than config.json says: {wrong[0]}; fetch the model again"
        )


def _quantization(kind: str, dtype: torch.dtype, device: str) -> Any:
    if find_spec("bitsandbytes") is None:
        raise ModelError("--quantize needs bitsandbytes; run: pip install 'vidprompter[quantize]'")
    if not device.startswith("cuda"):
        raise CapabilityError(f"--quantize {kind} needs a CUDA GPU; on {device} leave it out")
    from transformers import BitsAndBytesConfig

    if kind == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_use_double_quant=True,
    )


def _said(
    name: str, options: EngineOptions, dtype: torch.dtype, device: str, attention: str, why: str
) -> str:
    where = "all GPUs" if options.device == "split" else device
    precision = f"{options.quantize} weights, {_name(dtype)}" if options.quantize else _name(dtype)
    return f"{name}: {precision} on {where} ({why}), attention {attention}, {options.frames} frames a clip"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
