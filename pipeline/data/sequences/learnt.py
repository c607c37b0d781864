"""Which of a video's segments the points of ActionFormer's pyramid can learn (Zhang et al. 2022, Sec. 3.3)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from actionformer.points import points
from actionformer.targets import learners
from pipeline.configuration.sections.actionformer import ActionFormerSettings

FIRST_RANGE = 4  # positions that the first level reaches to either side; each next twice as many


class Learnt(NamedTuple):
    """How many points of all levels could learn each segment [N] of a video, and how many do.

    A point learns the shortest of those it could, so a segment may have points that could and none that does.
    """

    possible: np.ndarray
    actual: np.ndarray


def learnt_segments(segments: np.ndarray, length: int, settings: ActionFormerSettings) -> Learnt:
    """Who learns the segments [N, 2], in positions, of a video that has `length` of these."""
    found = torch.from_numpy(np.asarray(segments, np.float32)).reshape(-1, 2)
    possible, winners = learners(
        video_points(length, settings), found, radius=settings.center_radius
    )
    actual = torch.bincount(winners, minlength=len(found) + 1)[:-1]
    return Learnt(possible.numpy(), actual.numpy())


def video_points(length: int, settings: ActionFormerSettings) -> Tensor:
    """The points [P, 4] of a video of `length` positions, level by level; as `actionformer.points` gives them.

    They are kept: change a copy.
    """
    return _points(settings.regression_ranges, length)


@lru_cache(maxsize=64)
def _points(ranges: tuple[tuple[float, float], ...], length: int) -> Tensor:
    return points([2**level for level in range(len(ranges))], ranges, length)


def levels_of(lengths: np.ndarray, settings: ActionFormerSettings) -> np.ndarray:
    """The level [N] that learns segments of these lengths [N], in positions, from their middles.

    It is the one whose range holds half of the length, or is nearest to it.
    """
    low, high = np.array(settings.regression_ranges).T
    half = np.asarray(lengths, np.float64)[:, None] / 2
    found: np.ndarray = np.maximum(np.maximum(low - half, half - high), 0.0).argmin(axis=1)
    return found


def levels_for(length: float) -> int:
    """How many levels segments of up to this length, in positions, need with ranges 0-4, 4-8, 8-16 and so on."""
    return 1 + max(0, math.ceil(math.log2(max(length / 2 / FIRST_RANGE, 1.0))))
