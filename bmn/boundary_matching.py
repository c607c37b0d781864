"""The boundary-matching layer (Lin et al., ICCV 2019), projected before it is sampled.

The layer takes N points from every candidate segment and then convolves over the N points. Taking
a point is an interpolation along time, which acts on positions alone; the convolution acts on
channels alone for each of the N points. So the two swap without changing the result: multiply the
T positions by the N weight matrices first, then interpolate the T * N rows into the valid cells
with one sparse product. That is about a hundredth of the multiplications, and the
[C, N, D, T] tensor of sampled features never exists.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bmn.errors import BMNError


class SparseRows(NamedTuple):
    """A sparse matrix by rows: row i sums `weights * table[indices]` over offsets[i]:offsets[i+1].

    indices int32 [nnz], offsets int32 [rows + 1], weights float [nnz].
    """

    indices: Tensor
    offsets: Tensor
    weights: Tensor


def valid_cells(temporal_scale: int, duration_scale: int) -> np.ndarray:
    """Flat indices d * T + s of the cells whose segment [s, s + d + 1] ends within T, ascending."""
    durations, starts = np.ogrid[:duration_scale, :temporal_scale]
    return np.flatnonzero(durations + starts < temporal_scale)


def sampling_rows(
    temporal_scale: int,
    duration_scale: int,
    num_samples: int,
    samples_per_bin: int,
    boundary_ratio: float,
) -> SparseRows:
    """Interpolation weights of every valid cell, over the T * N rows `position * N + sample`.

    Cell (d, s) has length d + 1 and is sampled from s - ratio * (d + 1) to s + d + ratio * (d + 1)
    at N * samples_per_bin even steps; each run of samples_per_bin points is averaged into one of
    the N samples. A point between two positions is shared linearly; what falls outside [0, T) is
    dropped, except that a point in (-1, 0) counts wholly for position 0 (the public weights were
    trained so: truncation goes towards zero).

    Returns rows in the order of `valid_cells`; weights float32.
    """
    points = _sample_points(
        temporal_scale, duration_scale, num_samples * samples_per_bin, boundary_ratio
    )
    bins = points.reshape(len(points), num_samples, samples_per_bin)
    lower, upper = np.trunc(bins), np.ceil(bins)
    first = lower[..., :1]
    span = int((upper - first).max()) + 1
    fraction = bins - lower
    base = np.arange(lower.size).reshape(lower.shape) // samples_per_bin * span
    weights = np.zeros(len(points) * num_samples * span)
    for position, weight in ((lower, 1.0 - fraction), (upper, fraction)):
        slot = (base + (position - first)).astype(np.int64)
        weights += np.bincount(slot.ravel(), weight.ravel(), minlength=weights.size)
    weights = (weights / samples_per_bin).reshape(len(points), num_samples, span)
    positions = first.astype(np.int64) + np.arange(span)
    kept = (weights != 0) & (positions >= 0) & (positions < temporal_scale)
    cell, sample, _ = np.nonzero(kept)
    return SparseRows(
        torch.from_numpy((positions[kept] * num_samples + sample).astype(np.int32)),
        _offsets(cell, len(points)),
        torch.from_numpy(weights[kept].astype(np.float32)),
    )


def _sample_points(
    temporal_scale: int, duration_scale: int, count: int, ratio: float
) -> np.ndarray:
    """Where every valid cell is sampled, in positions: float64 [cells, count]."""
    duration, start = np.divmod(valid_cells(temporal_scale, duration_scale), temporal_scale)
    length = duration + 1.0
    low, high = start - length * ratio, start + duration + length * ratio
    return low[:, None] + ((high - low) / (count - 1.0))[:, None] * np.arange(count)


def _offsets(sorted_rows: np.ndarray, rows: int) -> Tensor:
    return torch.from_numpy(np.searchsorted(sorted_rows, np.arange(rows + 1)).astype(np.int32))


def transpose_rows(matrix: SparseRows, columns: int) -> SparseRows:
    """The transposed matrix, again by rows; `columns` is the column count of `matrix`."""
    indices = matrix.indices.numpy()
    rows = np.repeat(np.arange(len(matrix.offsets) - 1), np.diff(matrix.offsets.numpy()))
    order = np.argsort(indices, kind="stable")
    return SparseRows(
        torch.from_numpy(rows[order].astype(np.int32)),
        _offsets(indices[order], columns),
        matrix.weights[torch.from_numpy(order)],
    )


def sparse_product(table: Tensor, matrix: SparseRows, transposed: SparseRows) -> Tensor:
    """`matrix` times every table[b]: [B, columns, C] -> [B, rows, C], differentiable in `table`.

    transposed: `transpose_rows(matrix, columns)`, which the gradient is computed with.
    """
    return _SparseProduct.apply(table, matrix, transposed)


class _SparseProduct(torch.autograd.Function):
    """A sparse product whose gradient is the product with the transposed matrix.

    A weighted embedding bag is the fastest row-gathering sum torch has on CPUs (2 to 3 times its
    CSR product), exists on CUDA, and needs no atomic additions, so gradients are deterministic.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, matrix: SparseRows, transposed: SparseRows) -> Tensor:
        ctx.matrices = (matrix, transposed)
        if not len(table):
            return table.new_empty(0, len(matrix.offsets) - 1, table.shape[2])
        weights = matrix.weights.to(table.dtype)
        return torch.stack(
            [
                functional.embedding_bag(
                    matrix.indices,
                    rows.contiguous(),
                    matrix.offsets,
                    mode="sum",
                    per_sample_weights=weights,
                    include_last_offset=True,
                )
                for rows in table
            ]
        )

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        matrix, transposed = ctx.matrices
        return _SparseProduct.apply(grad, transposed, matrix), None, None


class BoundaryMatching(nn.Module):
    """Sampling layer and the 3-D convolution over its N points, for the valid cells only.

    Equal to the dense form: features @ mask [T, N * D * T], then Conv3d with kernel (N, 1, 1).

    in_channels, out_channels: channels of the features and of the convolution.
    temporal_scale T, duration_scale D: the map's positions and durations; cell (d, s) is the
        segment [s, s + d + 1] in positions and is valid when it ends within T.
    num_samples N, samples_per_bin, boundary_ratio: see `sampling_rows`.

    Raises BMNError for sizes that give no cell or no sampling step.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        temporal_scale: int,
        duration_scale: int,
        *,
        num_samples: int = 32,
        samples_per_bin: int = 3,
        boundary_ratio: float = 0.5,
    ) -> None:
        super().__init__()
        _check_sizes(temporal_scale, duration_scale, num_samples, samples_per_bin, boundary_ratio)
        self.temporal_scale = temporal_scale
        self.duration_scale = duration_scale
        # One [out, in] matrix a sample, so that all of them are one product over the channels.
        self.weight = nn.Parameter(torch.empty(num_samples, out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.reset_parameters()
        rows = sampling_rows(
            temporal_scale, duration_scale, num_samples, samples_per_bin, boundary_ratio
        )
        cells = torch.from_numpy(valid_cells(temporal_scale, duration_scale))
        self.register_buffer("cells", cells, persistent=False)
        self._register_matrix("sample", rows)
        self._register_matrix("spread", transpose_rows(rows, temporal_scale * num_samples))

    def reset_parameters(self) -> None:
        """Draw weights as Conv3d does: uniform within 1 / sqrt(in_channels * N)."""
        num_samples, _, in_channels = self.weight.shape
        bound = 1.0 / math.sqrt(in_channels * num_samples)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def _register_matrix(self, name: str, matrix: SparseRows) -> None:
        for field, tensor in zip(matrix._fields, matrix, strict=True):
            self.register_buffer(f"{name}_{field}", tensor, persistent=False)

    def _matrix(self, name: str) -> SparseRows:
        return SparseRows(*(getattr(self, f"{name}_{field}") for field in SparseRows._fields))

    def forward(self, features: Tensor) -> Tensor:
        """features [B, C, T] -> the convolution at every valid cell [B, cells, out_channels]."""
        batch, _, length = features.shape
        if length != self.temporal_scale:
            raise BMNError(
                f"features have {length} positions, the network takes {self.temporal_scale}: "
                "rescale or cut them first (bmn.windows)"
            )
        num_samples, out_channels, _ = self.weight.shape
        projected = functional.linear(features.transpose(1, 2), self.weight.flatten(0, 1))
        table = projected.view(batch, length * num_samples, out_channels)
        sampled = sparse_product(table, self._matrix("sample"), self._matrix("spread"))
        return sampled.add_(self.bias)

    def to_map(self, values: Tensor, outside: Tensor) -> Tensor:
        """Lay values [B, cells, C] out as [B, C, D, T] (channels last), `outside` [C] elsewhere."""
        batch, _, channels = values.shape
        full = outside.expand(batch, self.duration_scale * self.temporal_scale, channels)
        full = full.index_copy(1, self.cells, values)
        return full.view(batch, self.duration_scale, self.temporal_scale, channels).permute(
            0, 3, 1, 2
        )


def _check_sizes(
    temporal_scale: int,
    duration_scale: int,
    num_samples: int,
    samples_per_bin: int,
    boundary_ratio: float,
) -> None:
    if temporal_scale < 1 or duration_scale < 1:
        raise BMNError(
            f"temporal_scale {temporal_scale} and duration_scale {duration_scale} must be positive"
        )
    if duration_scale > temporal_scale:
        raise BMNError(
            f"duration_scale {duration_scale} is longer than temporal_scale {temporal_scale}"
        )
    if num_samples < 1 or samples_per_bin < 1 or num_samples * samples_per_bin < 2:
        raise BMNError(
            f"num_samples {num_samples} x samples_per_bin {samples_per_bin} must be 2 or more"
        )
    if boundary_ratio < 0:
        raise BMNError(f"boundary_ratio {boundary_ratio} must not be negative")
