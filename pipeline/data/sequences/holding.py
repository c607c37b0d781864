"""Which videos hold annotated segments: what ActionFormer trains on, and is judged by."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.data.annotations import Dataset
from pipeline.data.features.store import FeatureStore
from pipeline.data.sequences.grids import position_count, position_grid
from pipeline.data.sequences.learning import learnt
from pipeline.data.sequences.refusals import nothing_learnt
from pipeline.data.windows.holding import cut_at_end


@dataclass(frozen=True)
class Sample:
    """A video to train on: so many positions, which see `reach` to either side, and its segments.

    segments float [N, 2]: in positions. classes int [N, heads]: of each the number of its class.
    """

    video: str
    length: int
    reach: float
    segments: np.ndarray
    classes: np.ndarray


def training_videos(
    store: FeatureStore,
    settings: ActionFormerSettings,
    dataset: Dataset,
    rows: pd.DataFrame,
    videos: Sequence[str],
) -> tuple[list[Sample], Counter[str]]:
    """The videos a run trains on, and how many of their segments are cut or never learnt, by reason.

    A segment is cut where its video ends as it was decoded. One that holds no position of a level that it is for
    is learnt by none; the video trains all the same. Raises UserError if that is true of every segment.
    """
    samples, counts, learning = videos_holding(store, settings, dataset, rows, videos)
    if not learning:
        raise nothing_learnt(len(rows))
    return samples, counts


def videos_holding(
    store: FeatureStore,
    settings: ActionFormerSettings,
    dataset: Dataset,
    rows: pd.DataFrame,
    videos: Sequence[str],
) -> tuple[list[Sample], Counter[str], int]:
    """As `training_videos`, and how many segments are learnt; there may be none."""
    counts: Counter[str] = Counter()
    samples, learning = [], 0
    places, times = rows.groupby("video", sort=False).indices, rows[["start", "end"]]
    segments, classes = times.to_numpy(float), dataset.targets(rows)
    for video in videos:
        own = places[video]
        sample = _sample(store, settings, video, segments[own], classes[own], counts)
        if len(sample.segments):
            samples.append(sample)
            held = learnt(sample.segments, sample.length, settings)
            learning += int(held.sum())
            counts["contain no position that learns them"] += int((~held).sum())
    return samples, +counts, learning


def _sample(
    store: FeatureStore,
    settings: ActionFormerSettings,
    video: str,
    segments: np.ndarray,
    classes: np.ndarray,
    counts: Counter[str],
) -> Sample:
    first = store.beginning(video)
    kept = cut_at_end(segments, first.duration, counts)
    grid = position_grid(first.grid, first.duration, settings)
    inside = grid.to_positions(np.minimum(segments[kept], first.duration))
    length = position_count(store.shape(video)[0], settings)
    used = classes if settings.classes == "own" else np.zeros((len(classes), 0), np.int64)
    return Sample(video, length, grid.reach, inside, used[kept])


def samples_digest(samples: Sequence[Sample]) -> str:
    """What distinguishes one list of training videos from another."""
    state = hashlib.sha256()
    for sample in samples:
        state.update(f"{sample.video}\0{sample.length}\0{sample.reach}\n".encode())
        state.update(np.ascontiguousarray(sample.segments, np.float64).tobytes())
        state.update(np.ascontiguousarray(sample.classes, np.int64).tobytes())
    return state.hexdigest()
