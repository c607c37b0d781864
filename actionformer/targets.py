"""Which point learns which segment (Zhang et al., ECCV 2022, Sec. 3.3, centre sampling)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from actionformer.errors import ActionFormerError
from actionformer.points import Array, as_tensor, segment_table

SAME_LENGTH = 1e-3  # segments this little longer than a point's shortest give it their classes too


class Targets(NamedTuple):
    """classes [P, K] in {0, 1}; offsets [P, 2] in strides, 0 where no segment; positive [P] bool.

    The batched form has a leading B. Points in the padding may be positive: the levels' masks take
    them out.
    """

    classes: Tensor
    offsets: Tensor
    positive: Tensor


def assign(
    points: Tensor, segments: Array, labels: Array, classes: int, *, radius: float = 1.5
) -> Targets:
    """Targets of one video, on the device of `points` [P, 4] (`points.points`).

    segments [N, 2]: start and end in grid units, N may be 0. labels: int [N], or multi-hot [N, K]
    where a segment has several classes (a verb and a noun, say); K = `classes`.
    A point is positive strictly inside a segment and strictly within `radius` strides of its
    centre, if the distance to its farther end lies in the level's range, both ends in. The shortest
    segment wins, the first among equals. Raises ActionFormerError for input that makes no sense.
    """
    table = segment_table(segments, points)
    hot = _multi_hot(as_tensor(labels).to(points.device), len(table), classes).to(table)
    point, segment, shortest = _pairs(points, table, radius)
    near = table.diff()[segment, 0] <= shortest[point] + SAME_LENGTH
    chosen = hot.new_zeros(len(points), classes)
    chosen.index_add_(0, point[near], hot[segment[near]]).clamp_(max=1.0)
    first = _winners(table, point, segment, shortest)
    positive = first < len(table)
    ends, at = table[first[positive]], points[positive, 0]
    offsets = points.new_zeros(len(points), 2)
    moves = torch.stack([at - ends[:, 0], ends[:, 1] - at], dim=1)
    offsets[positive] = moves / points[positive, 3:]
    return Targets(chosen, offsets, positive)


def learners(points: Tensor, segments: Array, *, radius: float = 1.5) -> tuple[Tensor, Tensor]:
    """How many points could learn each segment [N], and the segment each point learns [P]; N: none.

    As `assign` has it; a segment that no point could learn is never learnt, one whose points all learn shorter ones
    neither.
    """
    table = segment_table(segments, points)
    point, segment, shortest = _pairs(points, table, radius)
    counts = torch.bincount(segment, minlength=len(table))
    return counts, _winners(table, point, segment, shortest)


def _pairs(points: Tensor, table: Tensor, radius: float) -> tuple[Tensor, Tensor, Tensor]:
    """Which point could learn which segment: both [M]; and the shortest of each point's [P], inf without any."""
    (time, low, high, stride), (start, end) = points.T, table.T
    center = 0.5 * (start + end)
    parts = []
    for width in stride.unique():  # of a level few points lie near a segment's centre
        level = (stride == width).nonzero().flatten()
        level = level[time[level].argsort(stable=True)]
        reach = width * radius
        first = torch.searchsorted(time[level], torch.maximum(start, center - reach), right=True)
        last = torch.searchsorted(time[level], torch.minimum(end, center + reach))
        count = (last - first).clamp(min=0)
        which = torch.arange(len(table), device=count.device).repeat_interleave(count)
        before = (count.cumsum(0) - count - first)[which]
        parts.append((level[torch.arange(len(which), device=count.device) - before], which))
    point, segment = (torch.cat(column) for column in zip(*parts, strict=True))
    farther = torch.maximum(time[point] - start[segment], end[segment] - time[point])
    learnt = (low[point] <= farther) & (farther <= high[point])
    point, segment = point[learnt], segment[learnt]
    shortest = torch.full_like(time, torch.inf)
    shortest.scatter_reduce_(0, point, (end - start)[segment], "amin")
    return point, segment, shortest


def _winners(table: Tensor, point: Tensor, segment: Tensor, shortest: Tensor) -> Tensor:
    """The segment each point learns [P]: the shortest, the first among equals; N where there is none."""
    best = table.diff()[segment, 0] == shortest[point]
    first = torch.full_like(shortest, len(table), dtype=torch.long)
    return first.scatter_reduce_(0, point[best], segment[best], "amin")


def _multi_hot(labels: Tensor, count: int, classes: int) -> Tensor:
    """Labels [N] or [N, K] -> [N, K]."""
    if count == 0:
        return labels.new_zeros(0, classes)
    if labels.shape == (count, classes):
        return labels
    if labels.shape != (count,) or not bool(((labels >= 0) & (labels < classes)).all()):
        raise ActionFormerError(f"{count} segments need labels 0 to {classes - 1}, not {labels}")
    return torch.nn.functional.one_hot(labels.long(), classes)
