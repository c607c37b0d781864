"""The mean feature of each segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.clips.segments import Segments
from pipeline.data.features.store import FeatureStore
from pipeline.progress import Progress


@dataclass(frozen=True)
class Pooled:
    """Segments with the mean of the features each covers: `features` float32 [n, C]."""

    segments: Segments
    features: np.ndarray

    def __len__(self) -> int:
        return len(self.segments)


def pooled(store: FeatureStore, segments: Segments, channels: int) -> Pooled:
    """Read the features of each video once. Raises UserError if a file is missing or damaged."""
    features = np.zeros((len(segments), channels), np.float32)
    rows: dict[str, list[int]] = {}
    for row, video in enumerate(segments.videos):
        rows.setdefault(video, []).append(row)
    with Progress(len(rows), "reading features", unit="video") as bar:
        for video, own in rows.items():
            whole = store(video)
            for row in own:
                span = whole.between(float(segments.starts[row]), float(segments.ends[row]))
                features[row] = span.array.mean(0, dtype=np.float64)
            bar.update(1)
    return Pooled(segments, features)


def durations_of(store: FeatureStore, videos: Sequence[str]) -> dict[str, float]:
    """Seconds of each video as its features have them."""
    return {video: store(video, slice(0, 1)).duration for video in videos}
