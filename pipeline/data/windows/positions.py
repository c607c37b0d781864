"""A video's clip features as the positions of a detector, and as the input of the boundary-matching network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from bmn.windows import (
    TimeGrid,
    interpolated_positions,
    position_features,
    rescale,
    sliding_grid,
    whole_video_grid,
    window_features,
)
from pipeline.configuration.sections.training import BMNSettings
from pipeline.data.features.timed import Features
from pipeline.data.windows.placing import window_offsets


class PositionSettings(Protocol):
    """How features make positions: a head's keys of these names."""

    @property
    def feature_step(self) -> int: ...
    @property
    def positions(self) -> Literal["every", "average", "interpolate"]: ...
    @property
    def normalize(self) -> bool: ...


@dataclass(frozen=True)
class VideoInput:
    """A video as BMN sees it: features [windows, C, T], offsets [windows], its time grid and length L."""

    features: np.ndarray
    offsets: np.ndarray
    grid: TimeGrid
    length: int


def video_input(features: Features, settings: BMNSettings) -> VideoInput:
    """All windows of a video, one every `window_step` positions, or the one rescaled video."""
    rows = sequence(features, settings)
    offsets = window_offsets(len(rows), settings)
    windows = [window_features(rows, int(offset), settings.temporal_scale).T for offset in offsets]
    return VideoInput(np.stack(windows), offsets, time_grid(features, settings), len(rows))


def time_grid(features: Features, settings: BMNSettings) -> TimeGrid:
    """Seconds and BMN positions of a video."""
    if settings.mode == "rescale":
        return whole_video_grid(features.duration, settings.temporal_scale)
    grid = features.grid
    return sliding_grid(grid.seconds_per_clip, settings.feature_step, grid.origin)


def positions(features: np.ndarray, settings: PositionSettings) -> np.ndarray:
    """The positions [L, C] among a video's clip features [n, C], each of `feature_step` of them.

    `positions` says what a group becomes: its first feature (`every`), its mean (`average`), or
    what lies at its centre (`interpolate`). No position depends on another's features, so a span of
    whole groups gives the positions that the whole video has there.
    """
    step = settings.feature_step
    if settings.positions == "interpolate":
        return normalised(interpolated_positions(features, step), settings)
    average = settings.positions == "average"
    return normalised(position_features(features, step, average=average), settings)


def normalised(features: np.ndarray, settings: PositionSettings) -> np.ndarray:
    """Features [L, C] as float32, each L2-normalised where the configuration says so."""
    if settings.normalize:
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        features = features / np.maximum(norms, 1e-12)
    return np.ascontiguousarray(features, dtype=np.float32)


def sequence(features: Features, settings: BMNSettings) -> np.ndarray:
    """A video's positions [L, C]: of its clips, or T of the whole video rescaled."""
    if settings.mode == "windows":
        return positions(features.array, settings)
    return whole_video(features, settings.temporal_scale, settings)


def whole_video(features: Features, length: int, settings: PositionSettings) -> np.ndarray:
    """The whole video rescaled to `length` positions [length, C]."""
    # The last clip's cell may reach beyond the end; the video is rescaled, not the padding.
    grid = features.grid
    cells, shift = features.duration * grid.fps / grid.stride, grid.shift / grid.stride
    extent = cells if shift else min(len(features), cells)
    rows = rescale(features.array, length, extent=extent, shift=shift)
    return normalised(rows, settings)
