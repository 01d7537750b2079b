"""A state dict of EfficientNet-Lite as an ONNX graph, so that using it needs ONNX Runtime and no torch.

The graph takes uint8 pixels (N, size, size, 3), RGB, and gives float32 probabilities (N, classes): normalisation and
softmax are inside, and batch norms are folded into the convolutions before them:

    w' = w * gamma / sqrt(var + eps),    b' = beta - mean * gamma / sqrt(var + eps)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.efficientnet_lite.config import BN_EPS, Block, LiteConfig, blocks_of, check_state, read_config
from models.errors import WeightsCorrupt

Array = NDArray[np.float32]
INPUT, OUTPUT = "pixels", "probabilities"
_OPSET = 17  # what ONNX Runtime 1.13 and later read
_IR_VERSION = 8


def prepare(folder: Path) -> None:
    """Writes `efficientnet-lite2.v1.onnx` beside the fetched state dict in `folder`; needs torch, once.

    Raises:
        WeightsCorrupt: The state dict cannot be read, or is not one of this network.
    """
    state = read_state_dict(next(folder.glob("*.pth")))
    graph = to_onnx(state, read_config("efficientnet-lite2"))
    (folder / "efficientnet-lite2.v1.onnx").write_bytes(graph)


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a torch file as arrays; a file that holds anything but tensors is refused."""
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.numpy() for name, tensor in state.items()}
    except (pickle.UnpicklingError, RuntimeError, AttributeError, EOFError) as error:
        raise WeightsCorrupt(
            f"{path.name} is not a state dict: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error


def to_onnx(state: Mapping[str, NDArray[Any]], config: LiteConfig) -> bytes:
    """The serialised ONNX model of `config` with the weights `state`; the same bytes for the same weights.

    Raises:
        WeightsCorrupt: A tensor is missing, misshapen or unknown; the message names it.
    """
    import onnx
    from onnx import TensorProto, helper

    check_state({name: tuple(array.shape) for name, array in state.items()}, config)
    graph = _Graph(state)
    top = _network(graph, config)
    pixels = helper.make_tensor_value_info(
        INPUT, TensorProto.UINT8, ["N", config.image_size, config.image_size, 3]
    )
    result = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", config.classes])
    graph.add("Softmax", [top], OUTPUT, axis=1)
    model = helper.make_model(
        helper.make_graph(graph.nodes, "efficientnet_lite", [pixels], [result], graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="vidprompter",
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


@dataclass
class _Graph:
    """Nodes and constants in the making."""

    state: Mapping[str, NDArray[Any]]
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def add(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Appends one node and returns the name of its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Appends one constant and returns its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def conv(self, x: str, conv: str, norm: str, *, stride: int = 1, groups: int = 1, relu6: bool) -> str:
        """Appends convolution `conv` with batch norm `norm` folded in, and ReLU6 if asked."""
        weight, bias = folded(self.state, conv, norm)
        kernel = weight.shape[-1]
        out = self.add(
            "Conv",
            [x, self.constant(f"{conv}.w", weight), self.constant(f"{conv}.b", bias)],
            conv,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            group=groups,
            auto_pad="SAME_UPPER",
        )
        return self.add("Clip", [out, "zero", "six"], f"{conv}.relu6") if relu6 else out


def folded(state: Mapping[str, NDArray[Any]], conv: str, norm: str) -> tuple[Array, Array]:
    """Weight and bias of convolution `conv` after batch norm `norm` is folded into it, float32."""
    part = {
        key: state[f"{norm}.{key}"].astype(np.float64)
        for key in ("weight", "bias", "running_mean", "running_var")
    }
    scale = part["weight"] / np.sqrt(part["running_var"] + BN_EPS)
    weight = state[f"{conv}.weight"].astype(np.float64) * scale[:, None, None, None]
    bias = part["bias"] - part["running_mean"] * scale
    return weight.astype(np.float32), bias.astype(np.float32)


def _network(graph: _Graph, config: LiteConfig) -> str:
    from onnx import TensorProto

    graph.constant("zero", np.array(0, np.float32))
    graph.constant("six", np.array(6, np.float32))
    x = graph.add("Cast", [INPUT], "pixels.float", to=TensorProto.FLOAT)
    x = graph.add("Sub", [x, graph.constant("mean", np.array(config.mean, np.float32))], "pixels.centred")
    x = graph.add("Div", [x, graph.constant("std", np.array(config.std, np.float32))], "pixels.scaled")
    x = graph.add("Transpose", [x], "pixels.planes", perm=[0, 3, 1, 2])
    x = graph.conv(x, "_conv_stem", "_bn0", stride=2, relu6=True)
    for index, block in enumerate(blocks_of(config)):
        x = _block(graph, x, f"_blocks.{index}", block)
    x = graph.conv(x, "_conv_head", "_bn1", relu6=True)
    x = graph.add("GlobalAveragePool", [x], "pooled")
    x = graph.add("Flatten", [x], "features", axis=1)
    weight = graph.constant("fc.w", graph.state["_fc.weight"].astype(np.float32))
    bias = graph.constant("fc.b", graph.state["_fc.bias"].astype(np.float32))
    return graph.add("Gemm", [x, weight, bias], "logits", transB=1)


def _block(graph: _Graph, x: str, prefix: str, block: Block) -> str:
    wide = graph.conv(x, f"{prefix}._expand_conv", f"{prefix}._bn0", relu6=True) if block.expands else x
    wide = graph.conv(
        wide,
        f"{prefix}._depthwise_conv",
        f"{prefix}._bn1",
        stride=block.stride,
        groups=block.channels_mid,
        relu6=True,
    )
    narrow = graph.conv(wide, f"{prefix}._project_conv", f"{prefix}._bn2", relu6=False)
    return graph.add("Add", [narrow, x], f"{prefix}.sum") if block.residual else narrow
