"""The segments a classifier on features trains on, and those it is validated on."""

from __future__ import annotations

import pandas as pd

from pipeline.configuration.settings import Config
from pipeline.data.annotations import Dataset, training_rows
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.selection import judged_by
from pipeline.data.features.store import FeatureStore
from pipeline.data.pooled.means import Pooled, durations_of, pooled
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.progress import say


def pooled_segments(
    config: Config, dataset: Dataset, store: FeatureStore, left_out: LeftOut
) -> tuple[Pooled, Pooled]:
    """Training and validation segments with their mean features; videos without features are counted.

    With `dataset.hold_out` some of the training videos are validated on, and train nothing. What is
    left out is reported. Raises UserError if more features are missing than allowed, or nothing
    trains, or there is nothing to choose the epoch by.
    """
    for line, count in dataset.notes.items():
        say(f"annotations: {count} {line}")
    tables = {}
    for subset in (config.dataset.train_subset, config.dataset.eval_subset):
        tables[subset], counts = training_rows(dataset, subset)
        for reason, count in counts.items():
            say(f"annotations, {subset}: {count} segments: {reason}")
    ids = [video for rows in tables.values() for video in rows["video"].unique()]
    there = store.available(ids, left_out)
    channels = store.common_channels(there)
    durations = durations_of(store, there)
    parts = [_segments(dataset, rows, subset, durations) for subset, rows in tables.items()]
    if not len(parts[0]):
        name = config.dataset.train_subset
        raise UserError(f"dataset.train_subset {name!r}: no segment with features to train on")
    train, validation = judged_by(config, parts[0], parts[-1])
    return pooled(store, train, channels), pooled(store, validation, channels)


def _segments(
    dataset: Dataset, rows: pd.DataFrame, subset: str, durations: dict[str, float]
) -> Segments:
    """The segments of videos with features; those beyond the features' end are left out and reported."""
    rows = rows[rows["video"].isin(list(durations))]
    late = rows["start"] >= rows["video"].map(durations).astype(float)
    if late.any():
        say(f"finetune: {late.sum()} segments of {subset} begin after the features' end, left out")
    rows = rows[~late]
    return Segments(
        rows["video"].tolist(),
        rows["start"].to_numpy(float),
        rows["end"].to_numpy(float),
        dataset.targets(rows),
        {},
    )
