"""The points of all pyramid levels, where segments are predicted, and segments in general."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from actionformer.errors import ActionFormerError

Array = np.ndarray | Tensor


def points(strides: Sequence[int], ranges: Sequence[Sequence[float]], length: int) -> Tensor:
    """Float32 [sum T_l, 4], level by level: time, least and greatest distance to learn, stride.

    Point i of a level stands at i x stride; `ranges` and the input's `length` are in grid units
    (Zhang et al., ECCV 2022, Sec. 3.3). Raises ActionFormerError unless there is a range a level.
    """
    if len(strides) != len(ranges):
        raise ActionFormerError(f"{len(strides)} strides and {len(ranges)} ranges do not fit")
    rows = [
        (time, low, high, stride)
        for stride, (low, high) in zip(strides, ranges, strict=True)
        for time in range(0, length, stride)
    ]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def as_tensor(values: Array) -> Tensor:
    """A tensor of the same values; an array is copied: it may be read-only, or run backwards."""
    return torch.as_tensor(values if isinstance(values, Tensor) else np.array(values))


def segment_table(segments: Array, like: Tensor) -> Tensor:
    """Segments [N, 2] (start, end) in the dtype and on the device of `like`; N may be 0.

    Raises ActionFormerError for another shape, a segment that ends before it starts, and NaN.
    """
    table = as_tensor(segments).to(like)
    if table.numel() == 0:
        return table.reshape(0, 2)
    if table.ndim != 2 or table.shape[1] != 2:
        raise ActionFormerError(f"segments have shape {tuple(table.shape)}, expected [N, 2]")
    wrong = ~((table[:, 1] >= table[:, 0]) & table.isfinite().all(1))
    if bool(wrong.any()):
        row = int(wrong.int().argmax())
        raise ActionFormerError(
            f"segment {row} is not finite or ends before it starts: {table[row].tolist()}"
        )
    return table
