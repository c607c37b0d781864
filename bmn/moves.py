"""Moves: where a cell's segment should lie, as the TAdaConv paper's public code states it.

A cell's move is (dx, dw): its centre goes by dx of its lengths, its length is multiplied by exp(dw).
The public code has the output and this decoding, and no loss for it; what is trained, and on which
cells, is ours (`losses.move_loss`).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from bmn.errors import BMNError
from bmn.proposals import to_array
from bmn.targets import cell_ious, pad_segments, segment_positions

# A cell is moved no further than tIoU > 0.5, the trained cells' (losses.MOVED_IOU), ever asks for.
MOVE_LIMITS = (0.5, math.log(2.0))


def window_moves(
    segments: np.ndarray | Tensor,
    window: tuple[float, float],
    temporal_scale: int,
    duration_scale: int,
) -> Tensor:
    """The moves of one window's cells to the segments they overlap best: float32 [2, D, T].

    segments [N, 2] and window in seconds, as `targets.window_targets` takes them; the first segment
    wins ties. Zeros without segments, and where a cell overlaps none. Raises BMNError as it does.
    """
    positions = segment_positions(segments, window, temporal_scale)
    if not len(positions):
        return torch.zeros(2, duration_scale, temporal_scale)
    ious = cell_ious(*pad_segments([positions]), temporal_scale, duration_scale)[0]
    best, which = ious.max(0)
    length = torch.arange(1, duration_scale + 1, dtype=torch.float64)[:, None]
    start, end = positions[which].unbind(-1)
    center = torch.arange(temporal_scale) + length / 2
    # Where nothing overlaps, no length: its logarithm is not taken.
    ratio = torch.where(best > 0, (end - start) / length, 1.0)
    moves = torch.stack([((start + end) / 2 - center) / length, ratio.log()])
    return moves.mul_(best > 0).float()


def move_proposals(
    proposals: np.ndarray,
    moves: np.ndarray | Tensor,
    *,
    seconds_per_position: float | None = None,
) -> np.ndarray:
    """Proposals with the start and end that the moves of their cells give; nothing else changes.

    proposals [n, 7]: of `decode_proposals`, with the same seconds_per_position
    moves [2, D, L]: of the video, from `fuse_windows`
    seconds_per_position: as for `decode_proposals`

    A move is limited to MOVE_LIMITS and ends at the video's ends, so a segment keeps some length.
    Raises BMNError where a proposal has no cell in the moves.
    """
    maps = to_array(moves)
    if maps.ndim != 3 or len(maps) != 2:
        raise BMNError(f"moves have shape {maps.shape}, expected [2, D, L]")
    _, durations, length = maps.shape
    scale = 1.0 / length if seconds_per_position is None else seconds_per_position
    first, last = np.rint(proposals[:, :2] / scale).astype(np.int64).T
    duration = last - first - 1
    inside = (first >= 0) & (first < length) & (duration >= 0) & (duration < durations)
    if not inside.all():
        row = int(np.argmin(inside))
        raise BMNError(f"proposal {row} {proposals[row, :2].tolist()} is not a cell of the moves")
    limits = np.array(MOVE_LIMITS)[:, None]
    shift, growth = np.clip(maps[:, duration, first].astype(np.float64), -limits, limits)
    width = (last - first).astype(np.float64)
    center, half = (first + last) / 2 + shift * width, width * np.exp(growth) / 2
    moved = proposals.copy()
    moved[:, 0] = np.maximum(center - half, 0.0) * scale
    moved[:, 1] = np.minimum(center + half, length) * scale
    return moved
