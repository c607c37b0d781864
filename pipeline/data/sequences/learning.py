"""What each point of ActionFormer's pyramid is to learn of a sequence's segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from actionformer.targets import Targets, assign
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.clips.geometry import clip_grid
from pipeline.data.sequences.grids import position_count, position_grid
from pipeline.data.sequences.learnt import video_points


def padded_length(length: int, settings: ActionFormerSettings) -> int:
    """Positions that a sequence of this length is padded to: `max_length`, or what the strides divide and is longer."""
    largest = 2 ** (settings.levels - 1)
    longer = (-(-length // largest) + 1) * largest  # with padding after it, as at test
    return settings.max_length if length <= settings.max_length else longer


def targets_of(
    segments: np.ndarray,
    classes: np.ndarray,
    length: int,
    settings: ActionFormerSettings,
    sizes: Sequence[int],
) -> Targets:
    """The targets of a padded sequence of `length` positions: classes [P, K], offsets [P, 2], positive [P].

    segments [N, 2]: in positions. classes [N, heads]: of each the number of its class; verbs and nouns are
    side by side, K = V + N, and where there are no classes K is 1. Points lie level by level.
    """
    hot = np.ones((len(segments), 1), np.float32)
    if sizes:
        hot = np.zeros((len(segments), sum(sizes)), np.float32)
        columns = classes + np.cumsum([0, *sizes[:-1]])
        np.put_along_axis(hot, columns, 1.0, axis=1)
    at = video_points(length, settings)
    return assign(at, segments, hot, hot.shape[1], radius=settings.center_radius)


def learnt(segments: np.ndarray, length: int, settings: ActionFormerSettings) -> np.ndarray:
    """Which segments [N, 2] (in positions) of a sequence some point learns, bool [N]."""
    padded = padded_length(length, settings)
    of_each = targets_of(
        segments, np.arange(len(segments))[:, None], padded, settings, [len(segments)]
    )
    inside = video_points(padded, settings)[:, 0] < length
    learning: np.ndarray = of_each.classes[inside].amax(0).numpy() > 0
    return learning


def learns_some(config: DetectionConfig, segments: np.ndarray, duration: float) -> bool:
    """Whether some point learns one of the segments [N, 2] (seconds) of a video whose clips are those of `extract`."""
    settings, grid = config.actionformer, clip_grid(config.extract)
    inside = segments[segments[:, 0] < duration]
    found = position_grid(grid, duration, settings).to_positions(np.minimum(inside, duration))
    length = position_count(grid.num_clips(duration), settings)
    return bool(learnt(found, length, settings).any())


def valid_points(length: int, padded: int, levels: int) -> Tensor:
    """Which points of a padded sequence stand at its positions, not in the padding, bool [P]."""
    return torch.cat([torch.arange(0, padded, 2**level) < length for level in range(levels)])
