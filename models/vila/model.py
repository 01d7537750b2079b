"""VILA-1.5 as one transformers model: SigLIP tower, projector and Llama, put together from loaded parts.

Letters: B rows, L tokens, N frames of all rows in their order, P patches and Q visual tokens of a frame, C width of
the vision tower, D width of the language model.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from models.vila.projector import DownsampleProjector, visual_tokens_per_frame

FRAMES_AT_ONCE = 16
"""Frames the vision tower sees at once: it keeps all its hidden states, 45 MB a frame in bfloat16."""


class VilaModelConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers is untyped here
    """The configs of the parts, as transformers wants them in one.

    image_token_id: stands in `input_ids` once for each visual token.
    """

    model_type = "vila_1_5"

    def __init__(
        self,
        text_config: PreTrainedConfig | None = None,
        vision_config: PreTrainedConfig | None = None,
        image_token_id: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.text_config = text_config
        self.vision_config = vision_config
        self.image_token_id = image_token_id
        super().__init__(**kwargs)


class VilaModel(PreTrainedModel, GenerationMixin):  # type: ignore[misc]  # likewise
    """A video model like those of transformers: `forward`, `generate`, `config`, `generation_config`, `dtype`.

    It is made by `models.vila.load.load_vila`; `from_pretrained` does not know VILA's layout.
    """

    config_class = VilaModelConfig
    main_input_name = "input_ids"
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(
        self,
        *,
        llm: PreTrainedModel,
        vision_tower: PreTrainedModel,
        projector: DownsampleProjector,
        image_token_id: int,
        select_layer: int,
        generation_config: GenerationConfig,
    ) -> None:
        super().__init__(VilaModelConfig(llm.config, vision_tower.config, image_token_id))
        self.llm = llm
        self.vision_tower = vision_tower
        self.projector = projector
        self.select_layer = select_layer
        self.generation_config = generation_config
        self.post_init()

    @property
    def tokens_per_frame(self) -> int:
        """How many visual tokens one frame becomes."""
        vision = self.config.vision_config
        return visual_tokens_per_frame(vision.image_size // vision.patch_size)

    def init_weights(self) -> None:
        """Leaves the weights alone: all parts come with theirs."""

    def get_input_embeddings(self) -> nn.Module:
        """The language model's token embeddings."""
        embeddings: nn.Module = self.llm.get_input_embeddings()
        return embeddings

    def get_output_embeddings(self) -> nn.Module:
        """The language model's head."""
        head: nn.Module = self.llm.get_output_embeddings()
        return head

    def encode_frames(self, pixel_values: Tensor) -> Tensor:
        """Visual tokens (N, Q, D) of normalised frames (N, 3, H, W)."""
        tower, projector = self.vision_tower, self.projector
        encoded = []
        for frames in torch.split(pixel_values, FRAMES_AT_ONCE):
            out = tower(frames.to(tower.device, tower.dtype), output_hidden_states=True)
            patches = out.hidden_states[
                self.select_layer
            ]  # (n, P, C): SigLIP has no class token to leave out
            encoded.append(projector(patches))
        return torch.cat(encoded)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (B, L, vocabulary) and the cache.

        input_ids: (B, L) int64, `config.image_token_id` once for each visual token. attention_mask: (B, cached + L),
        0 for padding. position_ids: (B, L); None: counted from the mask. pixel_values: (N, 3, H, W) of the frames
        whose placeholders are in these `input_ids`; None where there are none, as in all steps after the first.
        logits_to_keep: logits of that many last tokens, 0 for all. kwargs: as in the language model's forward.

        Raises:
            ValueError: There are not as many placeholders as visual tokens; the message holds both numbers.
        """
        embeds = self._embed(input_ids, pixel_values, past_key_values)
        if position_ids is None and attention_mask is not None and attention_mask.dim() == 2:
            counted = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)
            position_ids = counted[:, -input_ids.shape[1] :]
        output: CausalLMOutputWithPast = self.llm(
            inputs_embeds=embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )
        return output

    def _embed(self, input_ids: Tensor, pixel_values: Tensor | None, past_key_values: Any) -> Tensor:
        """(B, L, D): token embeddings, and visual tokens where their placeholders stand."""
        embeds: Tensor = self.get_input_embeddings()(input_ids)
        if pixel_values is None and input_ids.shape[1] == 1 and _holds_tokens(past_key_values):
            return embeds  # a step of decoding: whatever the model drew is text, and nothing is counted on the device
        places = input_ids == self.config.image_token_id
        wanted = int(places.sum())
        frames = 0 if pixel_values is None else len(pixel_values)
        if wanted != frames * self.tokens_per_frame:
            raise ValueError(
                f"input_ids hold {wanted} placeholders, but {frames} frames give {frames * self.tokens_per_frame} "
                f"visual tokens ({self.tokens_per_frame} each); let one call of VilaProcessor make both"
            )
        if pixel_values is None or not frames:
            return embeds
        features = self.encode_frames(pixel_values).to(embeds.device, embeds.dtype)
        return embeds.masked_scatter(places[..., None].to(embeds.device), features)

    def _expand_inputs_for_generation(
        self,
        expand_size: int = 1,
        is_encoder_decoder: bool = False,
        input_ids: Tensor | None = None,
        **model_kwargs: Any,
    ) -> tuple[Tensor | None, dict[str, Any]]:
        """Inputs for several answers a row, as beams need.

        `generate` would repeat frame by frame; a row's frames have to stay together.
        """
        pixels = model_kwargs.pop("pixel_values", None)
        if pixels is not None and expand_size > 1 and input_ids is not None:
            held = (input_ids == self.config.image_token_id).sum(1) // self.tokens_per_frame
            rows = pixels.split(held.tolist())
            pixels = torch.cat([row.repeat(expand_size, 1, 1, 1) for row in rows])
        expanded: tuple[Tensor | None, dict[str, Any]] = super()._expand_inputs_for_generation(
            expand_size=expand_size,
            is_encoder_decoder=is_encoder_decoder,
            input_ids=input_ids,
            **model_kwargs,
        )
        if pixels is not None:
            expanded[1]["pixel_values"] = pixels
        return expanded


def _holds_tokens(past_key_values: Any) -> bool:
    return past_key_values is not None and past_key_values.get_seq_length() > 0
