"""Class scores of one video's proposals, on its features or on clips decoded there (Appendix A.2)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from feature_extraction.backbones import VideoNetwork
from feature_extraction.extractor import Extractor, Heartbeat
from feature_extraction.sampling import ClipGrid
from pipeline.configuration.sections.detection import ClassifySettings
from pipeline.data.features.timed import Features
from pipeline.data.videos.finding import Source
from pipeline.results.classification.fusing import spread_positions
from pipeline.training.networks.classifier import class_probabilities


def times_of(settings: ClassifySettings, proposals: pd.DataFrame, grid: ClipGrid) -> np.ndarray:
    """Seconds [n, positions] at which a video's proposals are looked at by clips of a grid."""
    start, end = proposals["start"].to_numpy(), proposals["end"].to_numpy()
    span = (grid.frames - 1) * grid.interval / grid.fps
    return spread_positions(start, end, settings.positions, spread=settings.spread, span=span)


def scores_on_features(
    model: VideoNetwork,
    features: Features,
    proposals: pd.DataFrame,
    settings: ClassifySettings,
    device: torch.device,
    *,
    on_means: bool = False,
) -> list[np.ndarray]:
    """Probabilities of a video's features, one array per head: [1, classes] of the video, or [n, classes] of n proposals.

    With `on_means` the network sees means of features, which it was trained on; else its probabilities are averaged.
    """
    if settings.mode == "video":
        return class_probabilities(model, features.array.mean(0, keepdims=True), device)
    # Each imported video may have its own rate and clip length.
    cells = features.at(times_of(settings, proposals, features.grid))
    if on_means:
        return class_probabilities(model, features.array[cells].mean(1), device)
    heads = class_probabilities(model, features.array, device)
    return [head[cells].mean(1) for head in heads]


def scores_on_clips(
    model: VideoNetwork,
    extractor: Extractor,
    source: Source,
    times: np.ndarray,
    *,
    heartbeat: Heartbeat | None = None,
) -> list[np.ndarray]:
    """Probabilities of clips decoded at `times` [n, positions] of a video, means by row: [n, classes], one array per head.

    Raises VideoError.
    """
    centres, cells = np.unique(times, return_inverse=True)
    cells = cells.reshape(times.shape)
    features = extractor.at(source, centres, heartbeat=heartbeat)
    scores = class_probabilities(model, features, torch.device(extractor.device))
    return [head[cells].mean(1) for head in scores]
