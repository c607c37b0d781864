"""What a model's head finds in the features of a video: BMN its proposals, ActionFormer segments or detections."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from pipeline.configuration.settings import DetectionConfig
from pipeline.data.features.timed import Features
from pipeline.data.windows.positions import video_input
from pipeline.prediction.found import NO_CURVES, Curves
from pipeline.results.detecting import detect_video, segments_in
from pipeline.results.proposing import proposals_of, video_maps
from pipeline.training.networks.actionformer import Networks

Heads = tuple[tuple[str, ...], ...]


class Seen(NamedTuple):
    """What a head finds in a video: proposals, curves, and detections, None if the head names no classes."""

    proposals: pd.DataFrame
    curves: Curves
    detections: pd.DataFrame | None = None


def look(
    network: nn.Module,
    features: Features,
    video: str,
    config: DetectionConfig,
    heads: Heads,
    device: torch.device,
    *,
    lanes: int = 1,
) -> Seen:
    """What the head finds, exactly as its stage does. `heads`: class names; `lanes`: as for `Detector`."""
    if config.detector.name == "bmn":
        return _proposed(network, features, video, config, device, lanes)
    assert isinstance(network, Networks)
    found = detect_video(network, features, video, config, heads, device)
    if not config.names_own_classes:
        return Seen(found, NO_CURVES)
    return Seen(segments_in(found), NO_CURVES, found)


def _proposed(
    network: nn.Module,
    features: Features,
    video: str,
    config: DetectionConfig,
    device: torch.device,
    lanes: int,
) -> Seen:
    seen = video_input(features, config.bmn)
    maps = video_maps(network, seen, config.bmn, device, lanes=lanes)
    proposals = proposals_of(maps, seen, video, config.bmn, config.proposals)
    times = seen.grid.to_seconds(np.arange(seen.length) + 0.5)
    start, end = (np.asarray(part, np.float32) for part in maps[:2])
    return Seen(proposals, Curves(times, start, end))
