"""Tensors of safetensors files and of our model files: read after their header was checked, whole and finite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from feature_extraction.tensor_file import (
    OURS,
    Block,
    TensorFileError,
    opened,
    read_block,
    stated_digests,
)

# Before the names of a model file's tensors: of the network on clips. Those of the other begin with its own name.
CLASSIFIER = "classifier."
KINDS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_network(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name; of a model file those of its classifier, by their own names.

    Raises TensorFileError if it is not what it says or a number is not finite, OSError where it cannot be read.
    """
    with opened(path) as (stream, header):
        blocks, prefix = header.blocks, CLASSIFIER if OURS in header.metadata else ""
        blocks = tuple(block for block in blocks if block.name.startswith(prefix))
        found = read_tensors(stream, blocks, stated_digests(header))
    return {name.removeprefix(prefix): tensor for name, tensor in found.items()}


def read_tensors(
    stream: BinaryIO, blocks: Iterable[Block], digests: Mapping[str, str]
) -> dict[str, Tensor]:
    """Tensors by name, compared with the digests there are of them.

    Raises TensorFileError if one is cut off, is another, or holds what is not a finite number.
    """
    found = {}
    for block in blocks:
        tensor = _tensor(read_block(stream, block, digests.get(block.name)), block)
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise TensorFileError(f"the tensor {block.name} has a value that is not finite")
        found[block.name] = tensor
    return found


def _tensor(content: np.ndarray, block: Block) -> Tensor:
    """Bytes uint8 [size] as the tensor they are."""
    if block.kind == "BOOL":  # any other byte is not a truth value to torch
        return torch.from_numpy(content != 0).reshape(block.shape)
    if not block.size:
        return torch.empty(block.shape, dtype=KINDS[block.kind])
    return torch.from_numpy(content).view(KINDS[block.kind]).reshape(block.shape)
