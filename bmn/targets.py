"""Training targets of a window: boundary probabilities and the tIoU of every candidate segment.

A window of T positions, position t standing for [t, t + 1]. The labels are those of Lin et al.,
ICCV 2019 (training of BMN), with the region widths of the TAdaConv paper's public code. All
distances are formed before they are rounded to float32, so the tables are exact to float32 however
long the window is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bmn.errors import BMNError

BOUNDARY_REACH = 1.5  # a boundary's region is this many positions to either side of it
ANCHOR_REACH = 1.0  # a position is compared as the span this far around its label's centre

# Where in position i the labels of a start and of an end are centred, by `boundary_center`.
# 0 is the public code's, which reads a start or an end at position i as time i: half a position early.
# 0.5 marks the edges that a cell's segment begins and ends at, so an end at T has a label of its own.
LABEL_CENTERS = {0.0: (0.5, 0.5), 0.5: (0.0, 1.0)}


class Targets(NamedTuple):
    """start, end: boundary overlaps in [0, 1], [T]; iou: best tIoU of every cell, [D, T].

    The batched form has a leading dimension B. Cells beyond the window are not zeroed: `valid_mask`
    says which of them count.
    """

    start: Tensor
    end: Tensor
    iou: Tensor


def check_boundary_center(boundary_center: float) -> None:
    """Raises BMNError if there are no such labels."""
    if boundary_center not in LABEL_CENTERS:
        raise BMNError(f"boundary_center {boundary_center} must be 0 or 0.5")


def valid_mask(duration_scale: int, temporal_scale: int) -> Tensor:
    """Float mask [D, T]: 1 where the segment [s, s + d + 1] of cell (d, s) ends within T."""
    ends = torch.arange(duration_scale)[:, None] + torch.arange(temporal_scale)
    return (ends < temporal_scale).float()


def window_targets(
    segments: np.ndarray | Tensor,
    window: tuple[float, float],
    temporal_scale: int,
    duration_scale: int,
    boundary_center: float = 0.0,
) -> Targets:
    """Targets of one window.

    segments [N, 2]: start and end of the actions in seconds, N may be 0; those that reach beyond
        the window are taken as they are, so a boundary outside leaves no mark inside.
    window: start and end of the window in seconds, cut into T positions.
    boundary_center: 0 or 0.5, see `batch_targets`.

    Raises BMNError for a window without length, segments of another shape or another centre.
    """
    positions, present = pad_segments([segment_positions(segments, window, temporal_scale)])
    batch = batch_targets(positions, present, temporal_scale, duration_scale, boundary_center)
    return Targets(*(table[0] for table in batch))


def segment_positions(
    segments: np.ndarray | Tensor, window: tuple[float, float], temporal_scale: int
) -> Tensor:
    """Segments [N, 2] in seconds -> positions of the window, float64 [N, 2]. Raises BMNError."""
    table = torch.as_tensor(segments, dtype=torch.float64)
    if table.numel() == 0:
        table = table.reshape(0, 2)
    if table.ndim != 2 or table.shape[1] != 2:
        raise BMNError(f"segments have shape {tuple(table.shape)}, expected [N, 2] (start, end)")
    start, end = (float(edge) for edge in window)
    if not end > start:
        raise BMNError(f"window ({start}, {end}) has no length: its end must follow its start")
    return (table - start) * (temporal_scale / (end - start))


def pad_segments(positions: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Tables [N_i, 2] of differing length -> one [B, N, 2] and the mask of its real rows [B, N]."""
    padded = torch.nn.utils.rnn.pad_sequence(positions, batch_first=True)
    counts = torch.tensor([len(table) for table in positions], device=padded.device)
    return padded, torch.arange(padded.shape[1], device=padded.device) < counts[:, None]


def batch_targets(
    positions: Tensor,
    present: Tensor,
    temporal_scale: int,
    duration_scale: int,
    boundary_center: float = 0.0,
) -> Targets:
    """Targets of B windows at once, on the device of `positions`.

    positions [B, N, 2]: segments in positions of their window (`segment_positions`), float64 where
        the device has it. present [B, N]: False for rows that only pad (`pad_segments`).
    boundary_center: 0 centres the labels of position i at i + 0.5, of starts and of ends (Lin et
        al.; the public code). 0.5 centres a start's at i and an end's at i + 1, the edges that cell
        (d, s) has at s and at s + d + 1: decoding with the same value has no bias.
    Returns float32 start, end [B, T] and iou [B, D, T]; zeros for a window without segments.
    Raises BMNError for another boundary_center.
    """
    check_boundary_center(boundary_center)
    batch, count, _ = positions.shape
    if count == 0:
        zeros = positions.new_zeros(batch, temporal_scale, dtype=torch.float32)
        return Targets(zeros, zeros.clone(), zeros[:, None].repeat(1, duration_scale, 1))
    centers = LABEL_CENTERS[boundary_center]
    start = _boundary_overlap(positions[..., 0], present, temporal_scale, centers[0])
    end = _boundary_overlap(positions[..., 1], present, temporal_scale, centers[1])
    iou = cell_ious(positions, present, temporal_scale, duration_scale)
    return Targets(start, end, iou.amax(1))


def _boundary_overlap(
    boundary: Tensor, present: Tensor, temporal_scale: int, center: float
) -> Tensor:
    """Share of each position's span that the nearest boundary region covers: [B, N] -> [B, T].

    The span of position i lies around i + center.
    """
    centers = torch.arange(temporal_scale, device=boundary.device) + center
    distance = (centers - boundary[..., None]).abs()
    overlap = (BOUNDARY_REACH + ANCHOR_REACH - distance).clamp(0, 2 * ANCHOR_REACH)
    overlap = overlap.div(2 * ANCHOR_REACH).mul(present[..., None])
    return overlap.amax(1).float()


def cell_ious(
    positions: Tensor, present: Tensor, temporal_scale: int, duration_scale: int
) -> Tensor:
    """tIoU of every segment with every cell: [B, N, 2] -> float32 [B, N, D, T], padding is 0.

    With a, b a cell's ends and s, e a segment's, the overlap is the least of b - a, b - s, e - a
    and e - s; two of these depend on (s, e) and one position only.
    """
    starts, ends = positions[..., :1], positions[..., 1:]
    edges = torch.arange(temporal_scale + duration_scale, device=positions.device)
    length = torch.where(present[..., None], (ends - starts).clamp(min=0.0), 0.0)
    from_left = torch.minimum(ends - edges[:temporal_scale], length).float()  # [B, N, T]
    to_right = (edges - starts).float().unfold(2, temporal_scale, 1)[:, :, 1:]  # [B, N, D, T]
    durations = edges[1 : duration_scale + 1, None].float()
    overlap = torch.minimum(to_right, durations)
    torch.minimum(overlap, from_left[:, :, None], out=overlap)
    overlap.clamp_(min=0.0)
    union = (durations + length.float()[..., None]).sub(overlap)
    return overlap.div_(union)
