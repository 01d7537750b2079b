"""The folder from which ONNX Runtime loads the language model in 8 bits: written once, read without a copy.

decoder.onnx   the graph (`decoder_graph`)
weights.bin    its constants, each at a multiple of 4096 bytes
packed.json    written last: what the model is like, where the embedding lies, sizes and sha256 of the other two
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsCorrupt
from models.fetching.checks import difference, sha256_of
from models.smollm2.decoder_graph import decoder_graph
from models.smollm2.int8_blocks import BLOCK, Int8Blocks

FORMAT = "int8-64.v1"
"""Name of what is written; a new number makes every machine write it again."""
GRAPH, WEIGHTS, ABOUT = "decoder.onnx", "weights.bin", "packed.json"
_PAGE = 4096
_SHAPE = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "max_position_embeddings",
)


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of a decoder, under transformers' names."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int


@dataclass(frozen=True)
class PackedModel:
    """A written folder: its graph file, its sizes, and its embedding, which is read from the file row by row."""

    folder: Path
    shape: DecoderShape
    embedding: Int8Blocks

    @property
    def graph(self) -> Path:
        """The file that an ONNX Runtime session is made from."""
        return self.folder / GRAPH


def write_packed(folder: Path, config: Mapping[str, Any], weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Writes the three files into `folder`, which exists; the same weights give the same bytes.

    config, weights: of transformers' Llama with tied embeddings.

    Raises:
        WeightsCorrupt: a matrix does not divide into blocks.
    """
    with (folder / WEIGHTS).open("wb") as file:
        store = _FileStore(file)
        graph = decoder_graph(config, weights, store)
    (folder / GRAPH).write_bytes(graph.SerializeToString(deterministic=True))
    files = {name: [(folder / name).stat().st_size, sha256_of(folder / name)] for name in (GRAPH, WEIGHTS)}
    about = {
        "format": FORMAT,
        "shape": {name: config[name] for name in _SHAPE},
        "embedding": [store.places["embedding.codes"], store.places["embedding.scales"]],
        "files": files,
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def open_packed(folder: Path) -> PackedModel:
    """The model in `folder`, its files compared with their sha256 (a tenth of a second).

    Raises:
        WeightsCorrupt: something is missing or not as it was written; the message says what.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        shape = DecoderShape(**about["shape"])
        codes_at, scales_at = about["embedding"]
        files = {name: (int(size), str(digest)) for name, (size, digest) in about["files"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsCorrupt(f"{folder / ABOUT} cannot be read: {error}") from error
    for name in (GRAPH, WEIGHTS):
        size, digest = files.get(name, (-1, ""))
        if wrong := difference(folder / name, size=size, sha256=digest):
            raise WeightsCorrupt(f"the 8-bit language model in {folder} is damaged: {wrong}")
    blocks = (shape.vocab_size, shape.hidden_size // BLOCK)
    weights = folder / WEIGHTS
    embedding = Int8Blocks(
        np.memmap(weights, np.uint8, "r", codes_at, (*blocks, BLOCK)),
        np.memmap(weights, np.float32, "r", scales_at, blocks),
    )
    return PackedModel(folder, shape, embedding)


class _FileStore:
    """Puts constants one after the other into a file, on page boundaries, where they can be mapped."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.places: dict[str, int] = {}

    def keep(self, name: str, values: NDArray[Any]) -> Any:
        from onnx import TensorProto, helper

        at = -(-self._file.tell() // _PAGE) * _PAGE
        self._file.write(b"\0" * (at - self._file.tell()))
        little = values.astype(values.dtype.newbyteorder("<"), copy=False)
        data = np.ascontiguousarray(little).tobytes()
        self._file.write(data)
        self.places[name] = at
        tensor = TensorProto(
            name=name,
            data_type=helper.np_dtype_to_tensor_dtype(values.dtype),
            dims=values.shape,
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in (("location", WEIGHTS), ("offset", at), ("length", len(data))):
            tensor.external_data.add(key=key, value=str(value))
        return tensor
