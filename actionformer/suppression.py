"""Non-maximum suppression, soft (Bodla et al., ICCV 2017) and hard, along time, and voting."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from actionformer.decoding import Candidates
from actionformer.errors import ActionFormerError
from actionformer.points import Array, as_tensor, segment_table

MARGIN = 1e-6  # added to lengths
ROWS = 256  # kept segments that vote at once


def suppress(
    segments: Array,
    scores: Array,
    labels: Array,
    *,
    method: Literal["soft", "hard"] = "soft",
    iou_threshold: float = 0.1,
    sigma: float = 0.5,
    min_score: float = 0.001,
    count: int = 200,
    per_class: bool = True,
    voting: float | None = None,
) -> Candidates:
    """Up to `count` candidates, best first, where those that overlap a better one lose.

    segments [N, 2] in any unit, scores [N], labels int [N]; only those of one class lose to one
    another, with `per_class`. "soft": a score is multiplied by exp(-IoU^2 / sigma) for each better
    one and is out under `min_score`; what is the best at first is never tested. "hard": only scores
    above `min_score` take part, and an IoU of `iou_threshold` is out.
    voting: where not `per_class` (elsewhere it plays no part), a kept segment is moved by `vote`.

    In float32 on the CPU; equal scores in the order given. To pick the best of all classes each
    time gives what all classes, merged and cut, would give. Raises ActionFormerError for shapes,
    NaN or settings that make no sense.
    """
    table, values, names = _checked(segments, scores, labels)
    if method not in {"soft", "hard"} or sigma <= 0:
        raise ActionFormerError(f'method {method!r} is not "soft" or "hard", or sigma {sigma} <= 0')
    groups = names if per_class else torch.zeros_like(names)
    order = groups.sort(stable=True).indices
    left = values[order].numpy()  # a copy
    limit, decay = (min_score, sigma) if method == "soft" else (iou_threshold, None)
    if method == "hard":
        left[left <= min_score] = -np.inf
    picks, kept = _picks(table[order].T.numpy(), left, groups[order].numpy(), count, limit, decay)
    index = order[picks]
    chosen = table[index]
    if voting and not per_class:
        chosen = vote(chosen, table, values, voting)
    return Candidates(chosen, torch.tensor(kept), names[index])


def _checked(segments: Array, scores: Array, labels: Array) -> tuple[Tensor, Tensor, Tensor]:
    """Float32 [N, 2] and [N], int64 [N], on the CPU."""
    table = segment_table(segments, torch.empty(0))
    values, names = as_tensor(scores).to(table), as_tensor(labels).to("cpu").long()
    if not values.shape == names.shape == (len(table),) or not bool(values.isfinite().all()):
        raise ActionFormerError(f"{len(table)} segments need as many finite scores, and labels")
    return table.detach(), values.detach(), names


def _picks(
    ends: np.ndarray,
    left: np.ndarray,
    groups: np.ndarray,
    count: int,
    limit: float,
    sigma: float | None,
) -> tuple[list[int], list[float]]:
    """Places and scores of the picks; columns are sorted by group, the scores `left` are changed."""
    edges = [*np.unique(groups, return_index=True)[1], len(groups)]
    runs = [slice(*run) for run in pairwise(edges)]
    best = np.array([run.start + left[run].argmax() for run in runs], dtype=np.int64)
    start, end = np.ascontiguousarray(ends)
    length = end - start + np.float32(MARGIN)
    picks: list[int] = []
    kept: list[float] = []
    while len(picks) < min(count, len(left)):
        group = left[best].argmax()
        pick, run = best[group], runs[group]
        if left[pick] == -np.inf:
            break
        picks.append(int(pick))
        kept.append(float(left[pick]))
        left[pick] = -np.inf
        shared = np.minimum(end[run], end[pick]) - np.maximum(start[run], start[pick])
        np.maximum(shared, 0.0, out=shared)
        iou = shared / (length[run] + length[pick] - shared)
        rest = left[run]
        if sigma is None:
            rest[iou >= limit] = -np.inf
        else:
            np.multiply(rest, np.exp(iou * iou / -sigma), out=rest, where=rest > -np.inf)
            rest[rest < limit] = -np.inf
        best[group] = run.start + rest.argmax()
    return picks, kept


def vote(chosen: Tensor, segments: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Each of `chosen` [M, 2] moved to the weighted mean of `segments` [N, 2] around it: [M, 2].

    The weight is score x IoU where the IoU is at least `threshold`. A segment without length, or
    around which all scores are 0, stays where it is (the public code gives NaN).
    """
    moved = []
    start, end = segments.T
    for rows in torch.split(chosen, ROWS):
        from_, to = rows.T[..., None]
        shared = (torch.minimum(end, to) - torch.maximum(start, from_)).clamp(min=0)
        union = (end - start) + (to - from_) - shared
        iou = torch.where(union > 0, shared / union, 0.0)
        weights = torch.where(iou >= threshold, iou * scores, 0.0)
        total = weights.sum(1, keepdim=True)
        moved.append(torch.where(total > 0, weights @ segments / total, rows))
    return torch.cat(moved)
