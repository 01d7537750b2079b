"""SmolLM2 as an ONNX graph: one pass of the decoder over new tokens, keys and values kept in place.

Matrices are 8-bit blocks and multiplied as such (MatMulNBits); everything else is float32. The operators of domain
com.microsoft are those of ONNX Runtime, docs/ContribOperators.md in its repository.

Inputs: `x` (B, S, D) float32, embedded tokens; `lengths` (B,) int32, tokens of each row with the new ones, minus one;
`total` () int32, tokens of the longest row; `key.L` and `value.L` (B, H, T, W) float32 of each layer L, with room for
T tokens. Outputs: `logits` (B, 1, V) float32 after the last token; `key_out.L`, `value_out.L`: bound to the same memory
as the inputs, they are written in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.smollm2.int8_blocks import BLOCK, int8_blocks

MICROSOFT = "com.microsoft"
_OPSET, _IR = 20, 10
# int8 products of int8 activations: MatMulNBits' own name for it
_INT8_ACCURACY = 4


class Store(Protocol):
    """Keeps the numbers of the graph's constants outside of it."""

    def keep(self, name: str, values: NDArray[Any]) -> Any:
        """An `onnx.TensorProto` called `name` that points to them."""
        ...


def decoder_graph(config: Mapping[str, Any], weights: Mapping[str, NDArray[np.float32]], store: Store) -> Any:
    """The graph (`onnx.ModelProto`). config, weights: of transformers' Llama with tied embeddings.

    The embedding is the last matrix too; its constants are called `embedding.codes` and `embedding.scales`.
    """
    return _Builder(config, weights, store).model()


class _Builder:
    def __init__(
        self, config: Mapping[str, Any], weights: Mapping[str, NDArray[np.float32]], store: Store
    ) -> None:
        self.config, self.weights, self.store = config, weights, store
        self.epsilon = float(config["rms_norm_eps"])
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def model(self) -> Any:
        from onnx import helper

        self._rotations()
        added, stream = "x", ""
        for layer in range(self.config["num_hidden_layers"]):
            stream, added = self._layer(layer, stream, added)
        normed, _ = self._normed("model.norm", added, stream)
        self._last(normed)
        graph = helper.make_graph(self.nodes, "decoder", self._inputs(), self._outputs(), self.constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR)

    def _layer(self, layer: int, stream: str, added: str) -> tuple[str, str]:
        """The residual stream and what is to be added to it, after the layer."""
        name = f"model.layers.{layer}"
        normed, stream = self._normed(f"{name}.input_layernorm", added, stream)
        parts = [self.weights[f"{name}.self_attn.{part}_proj.weight"] for part in "qkv"]
        mixed = self._matmul(f"{name}.qkv", normed, np.concatenate(parts))
        seen = f"{name}.seen"
        self._node(
            "GroupQueryAttention",
            [mixed, "", "", f"key.{layer}", f"value.{layer}", "lengths", "total", "cosines", "sines"],
            [seen, f"key_out.{layer}", f"value_out.{layer}"],
            num_heads=self.config["num_attention_heads"],
            kv_num_heads=self.config["num_key_value_heads"],
            do_rotary=1,
        )
        attended = self._linear(f"{name}.self_attn.o_proj", seen)
        normed, stream = self._normed(f"{name}.post_attention_layernorm", attended, stream)
        self._gated(f"{name}.mlp", normed)
        return stream, self._linear(f"{name}.mlp.down_proj", f"{name}.mlp.gated")

    def _gated(self, name: str, x: str) -> None:
        """silu(gate x) * up x. One matrix for both: x is rounded once, and threads meet once."""
        both = [self.weights[f"{name}.{part}_proj.weight"] for part in ("gate", "up")]
        out = self._matmul(f"{name}.both", x, np.concatenate(both))
        self._node("Split", [out], [f"{name}.gate", f"{name}.up"], domain="", axis=-1, num_outputs=2)
        # x sigmoid(x), transformers' silu
        self._node("QuickGelu", [f"{name}.gate"], [f"{name}.open"], alpha=1.0)
        self._node("Mul", [f"{name}.open", f"{name}.up"], [f"{name}.gated"], domain="")

    def _normed(self, name: str, added: str, stream: str) -> tuple[str, str]:
        """Names of the normed sum of both, and of the sum itself."""
        scale = self._constant(f"{name}.weight", self.weights[f"{name}.weight"])
        if not stream:
            # ONNX Runtime keeps this one in the plain domain
            self._node(
                "SimplifiedLayerNormalization",
                [added, scale],
                [name],
                domain="",
                axis=-1,
                epsilon=self.epsilon,
            )
            return name, added
        outputs = [name, "", "", f"{name}.sum"]
        self._node("SkipSimplifiedLayerNormalization", [added, stream, scale], outputs, epsilon=self.epsilon)
        return name, f"{name}.sum"

    def _linear(self, name: str, x: str) -> str:
        return self._matmul(name, x, self.weights[f"{name}.weight"])

    def _matmul(self, name: str, x: str, weight: NDArray[np.float32], *, out: str = "") -> str:
        """The name of x W^T, W rounded to 8 bits; `out`, if it has to have one."""
        out = out or f"{name}.out"
        blocks = int8_blocks(weight)
        codes = self._constant(f"{name}.codes", blocks.codes)
        scales = self._constant(f"{name}.scales", blocks.scales)
        rows, columns = blocks.shape
        self._node(
            "MatMulNBits",
            [x, codes, scales],
            [out],
            N=rows,
            K=columns,
            bits=8,
            block_size=BLOCK,
            accuracy_level=_INT8_ACCURACY,
        )
        return out

    def _last(self, normed: str) -> None:
        """Logits after the last new token."""
        from onnx import numpy_helper

        for name, value in (("last", -1), ("end", np.iinfo(np.int64).max), ("axis", 1)):
            self.constants.append(numpy_helper.from_array(np.array([value], np.int64), name))
        self._node("Slice", [normed, "last", "end", "axis"], ["final"], domain="")
        self._matmul("embedding", "final", self.weights["model.embed_tokens.weight"], out="logits")

    def _rotations(self) -> None:
        """Cosines and sines of every position and pair; Su et al. 2021, https://arxiv.org/abs/2104.09864."""
        width = self.config["head_dim"]
        frequencies = self.config["rope_parameters"]["rope_theta"] ** -(np.arange(0, width, 2) / width)
        angles = np.arange(self.config["max_position_embeddings"])[:, None] * frequencies
        self._constant("cosines", np.cos(angles).astype(np.float32))
        self._constant("sines", np.sin(angles).astype(np.float32))

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants.append(self.store.keep(name, values))
        return name

    def _node(
        self, kind: str, inputs: list[str], outputs: list[str], *, domain: str = MICROSOFT, **attributes: Any
    ) -> None:
        from onnx import helper

        self.nodes.append(
            helper.make_node(kind, inputs, outputs, name=outputs[0], domain=domain, **attributes)
        )

    def _inputs(self) -> list[Any]:
        from onnx import TensorProto, helper

        return [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", "S", self.config["hidden_size"]]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["B"]),
            helper.make_tensor_value_info("total", TensorProto.INT32, []),
            *self._states(""),
        ]

    def _outputs(self) -> list[Any]:
        from onnx import TensorProto, helper

        logits = helper.make_tensor_value_info(
            "logits", TensorProto.FLOAT, ["B", 1, self.config["vocab_size"]]
        )
        return [logits, *self._states("_out")]

    def _states(self, suffix: str) -> list[Any]:
        from onnx import TensorProto, helper

        shape = ["B", self.config["num_key_value_heads"], "T", self.config["head_dim"]]
        return [
            helper.make_tensor_value_info(f"{kind}{suffix}.{layer}", TensorProto.FLOAT, shape)
            for layer in range(self.config["num_hidden_layers"])
            for kind in ("key", "value")
        ]
