"""Which of a video's segments the points of ActionFormer's pyramid can learn (Zhang et al. 2022, Sec. 3.3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from actionformer.points import points
from actionformer.targets import learners
from pipeline.configuration.sections.actionformer import ActionFormerSettings

ROWS = 1 << 13  # points that are held against all segments at once


class Learnt(NamedTuple):
    """How many points of all levels could learn each segment [N] of a video, and how many do.

    A point learns the shortest of those it could, so a segment may have points that could and none that does.
    """

    possible: np.ndarray
    actual: np.ndarray


def learnt_segments(segments: np.ndarray, length: int, settings: ActionFormerSettings) -> Learnt:
    """Who learns the segments [N, 2], in positions, of a video that has `length` of these."""
    found = torch.from_numpy(np.asarray(segments, np.float32)).reshape(-1, 2)
    possible = torch.zeros(len(found), dtype=torch.int64)
    actual = torch.zeros(len(found) + 1, dtype=torch.int64)
    for rows in torch.split(video_points(length, settings), ROWS):
        counts, winners = learners(rows, found, radius=settings.center_radius)
        possible += counts
        actual += torch.bincount(winners, minlength=len(actual))
    return Learnt(possible.numpy(), actual[:-1].numpy())


def video_points(length: int, settings: ActionFormerSettings) -> Tensor:
    """The points [P, 4] of a video of `length` positions, level by level; as `actionformer.points` gives them."""
    strides = [2**level for level in range(settings.levels)]
    return points(strides, settings.regression_ranges, length)
