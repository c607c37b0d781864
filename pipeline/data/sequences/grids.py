"""Where ActionFormer's positions are in a video, and the features there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feature_extraction.sampling import ClipGrid
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.data.features.timed import Features
from pipeline.data.windows.positions import positions, whole_video


@dataclass(frozen=True)
class PositionGrid:
    """Position i of a video stands at the moment `first` + i x `step`, in seconds.

    `reach` is how far it sees to either side, in positions: half of the frames its features are made of.
    """

    first: float
    step: float
    reach: float

    def to_positions(self, seconds: np.ndarray) -> np.ndarray:
        """Seconds -> positions (fractional), elementwise."""
        return (np.asarray(seconds, np.float64) - self.first) / self.step

    def to_seconds(self, found: np.ndarray) -> np.ndarray:
        """Positions -> seconds, elementwise."""
        return np.asarray(found, np.float64) * self.step + self.first


def position_grid(grid: ClipGrid, duration: float, settings: ActionFormerSettings) -> PositionGrid:
    """The grid of a video of `duration` seconds with these clips: a position is in the middle of the cell of the clips it is made from.

    `every` takes the first clip of a group, and is in the middle of that one. A video brought to a fixed
    length is divided into equal parts.
    """
    if settings.mode == "rescale":
        step = duration / settings.max_length
        return PositionGrid(step / 2, step, 0.5)
    group = settings.feature_step
    clips = 1 if settings.positions == "every" else group
    frames = (clips - 1) * grid.stride + (grid.frames - 1) * grid.interval + 1
    return PositionGrid(
        first=grid.origin + clips * grid.seconds_per_clip / 2,
        step=group * grid.seconds_per_clip,
        reach=0.5 * frames / (group * grid.stride),
    )


def position_count(clips: int, settings: ActionFormerSettings) -> int:
    """How many positions a video of this many clips has."""
    return settings.max_length if settings.mode == "rescale" else -(-clips // settings.feature_step)


def position_rows(features: Features, settings: ActionFormerSettings) -> np.ndarray:
    """A video's positions, float32 [L, C]: of its clips, or `max_length` of the whole video."""
    if settings.mode == "rescale":
        return whole_video(features, settings.max_length, settings)
    return positions(features.array, settings)
