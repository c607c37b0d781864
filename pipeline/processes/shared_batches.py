"""Batches on their way from one process to another: their tensors are in memory that both share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.processes.unnamed_memory import UnnamedMemory

_ALIGNED = 64  # bytes


class SharedBuffer(UnnamedMemory):
    """Memory of this process and of those forked later; it grows with what is put into it."""

    def tensor(self, size: int) -> Tensor:
        """Its first bytes: uint8 [size], seen by every process. Raises UserError if there is no memory."""
        return torch.frombuffer(self.bytes(size), dtype=torch.uint8, count=size)


@dataclass(frozen=True)
class _Place:
    """Where a tensor is in the buffer."""

    start: int
    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class Packed:
    """A batch whose tensors are in a buffer of which they take `size` bytes."""

    batch: Any
    size: int


def pack(batch: Any, buffer: SharedBuffer) -> Packed:
    """Put the tensors of a batch (in dicts, lists and tuples) into a buffer."""
    tensors: list[tuple[_Place, Tensor]] = []
    packed, size = _without_tensors(batch, tensors, 0)
    if size:
        shared = buffer.tensor(size)
        for place, tensor in tensors:
            _view(shared, place).copy_(tensor)
    return Packed(packed, size)


def unpack(packed: Packed, buffer: SharedBuffer, *, pinned: bool) -> Any:
    """The batch, with tensors of its own: the buffer may be filled again."""
    shared = buffer.tensor(packed.size) if packed.size else torch.empty(0, dtype=torch.uint8)
    return _with_tensors(packed.batch, shared, pinned)


def _view(memory: Tensor, place: _Place) -> Tensor:
    """The tensor that is somewhere in memory uint8 [bytes]."""
    count = place.dtype.itemsize
    for length in place.shape:
        count *= length
    return memory[place.start : place.start + count].view(place.dtype).view(place.shape)


def _without_tensors(value: Any, found: list[tuple[_Place, Tensor]], size: int) -> tuple[Any, int]:
    """A value with places instead of its tensors, and the bytes taken so far."""
    if isinstance(value, Tensor):
        place = _Place(size, tuple(value.shape), value.dtype)
        found.append((place, value))
        return place, -(-(size + value.nbytes) // _ALIGNED) * _ALIGNED
    if isinstance(value, dict):
        kept: Any = {}
        for key, item in value.items():
            kept[key], size = _without_tensors(item, found, size)
        return kept, size
    if type(value) in (list, tuple):
        items = []
        for item in value:
            one, size = _without_tensors(item, found, size)
            items.append(one)
        return type(value)(items), size
    return value, size


def _with_tensors(value: Any, shared: Tensor, pinned: bool) -> Any:
    if isinstance(value, _Place):
        own = torch.empty(value.shape, dtype=value.dtype, pin_memory=pinned)
        return own.copy_(_view(shared, value))
    if isinstance(value, dict):
        return {key: _with_tensors(item, shared, pinned) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_with_tensors(item, shared, pinned) for item in value)
    return value
