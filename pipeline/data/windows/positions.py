"""A video's clip features as the positions of the boundary-matching network."""

from __future__ import annotations

import numpy as np

from bmn.windows import interpolated_positions, position_features
from pipeline.configuration.training_settings import BMNSettings


def positions(features: np.ndarray, settings: BMNSettings) -> np.ndarray:
    """BMN's positions [L, C] among a video's clip features [n, C], each of `feature_step` of them.

    `bmn.positions` says what a group becomes: its first feature (`every`), its mean (`average`), or
    what lies at its centre (`interpolate`). No position depends on another's features, so a span of
    whole groups gives the positions that the whole video has there.
    """
    step = settings.feature_step
    if settings.positions == "interpolate":
        return normalised(interpolated_positions(features, step), settings)
    average = settings.positions == "average"
    return normalised(position_features(features, step, average=average), settings)


def normalised(features: np.ndarray, settings: BMNSettings) -> np.ndarray:
    """Features [L, C] as float32, each L2-normalised where the configuration says so."""
    if settings.normalize:
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        features = features / np.maximum(norms, 1e-12)
    return np.ascontiguousarray(features, dtype=np.float32)
