"""From the network's outputs to candidates: scored segments of one video, before suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from actionformer.errors import ActionFormerError
from actionformer.network import Level


class Candidates(NamedTuple):
    """segments [N, 2] in grid units, not cut to the video; scores [N]; labels int64 [N]."""

    segments: Tensor
    scores: Tensor
    labels: Tensor


def decode(
    levels: Sequence[Level],
    *,
    strides: Sequence[int] | None = None,
    item: int = 0,
    score_threshold: float = 0.001,
    top_k: int = 2000,
    min_duration: float = 0.05,
) -> Candidates:
    """Candidates of row `item` of a batch, level by level, each by score.

    levels: as the network gives them
    strides: of its levels; None: 1, 2, 4, ...
    item: which video of the batch
    score_threshold, top_k: each level gives the `top_k` best pairs (point, class) with a higher score
    min_duration: in grid units; shorter candidates are left out

    Equal scores are in the order of points and classes. Raises ActionFormerError for NaN, and if
    levels and strides do not fit.
    """
    steps = strides if strides is not None else [2**level for level in range(len(levels))]
    if not len(levels) or len(steps) != len(levels):
        raise ActionFormerError(f"{len(levels)} levels and {len(steps)} strides do not fit")
    parts = []
    for level, stride in zip(levels, steps, strict=True):
        logits = level.logits[item].detach().float()
        offsets = level.offsets[item].detach().float() * stride
        if not bool(logits.isfinite().all() & offsets.isfinite().all()):
            raise ActionFormerError(f"outputs of the level of stride {stride} are not all finite")
        scores = (logits.sigmoid() * level.mask[item][:, None]).flatten()
        kept = (scores > score_threshold).nonzero().flatten()
        kept = kept[scores[kept].sort(descending=True, stable=True).indices[:top_k]]
        point, label = kept // logits.shape[1], kept % logits.shape[1]
        ends = point[:, None] * stride + offsets[point] * offsets.new_tensor([-1.0, 1.0])
        long = ends[:, 1] - ends[:, 0] > min_duration
        parts.append((ends[long], scores[kept[long]], label[long]))
    segments, scores, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    return Candidates(segments, scores, labels)


def fuse_class_scores(
    candidates: Candidates, class_scores: Tensor, *, top: int = 2, count: int = 100
) -> Candidates:
    """The `count` best class-agnostic candidates once for each of their video's `top` classes.

    class_scores [K], 0 or more: of the whole video, from elsewhere. A score becomes
    sqrt(class score x own score); the order is class by class, each by score.
    """
    chosen = class_scores.topk(min(top, len(class_scores)))
    order = candidates.scores.sort(descending=True, stable=True).indices[:count]
    scores = (chosen.values[:, None] * candidates.scores[order]).sqrt().flatten()
    segments = candidates.segments[order].repeat(len(chosen.indices), 1)
    return Candidates(segments, scores, chosen.indices.repeat_interleave(len(order)))
