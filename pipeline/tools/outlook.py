"""How long both trainings will be, told from annotations and durations before any features are there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from feature_extraction.video.reader import VideoInfo
from pipeline.configuration.settings import Config, DetectionConfig
from pipeline.configuration.training_settings import BMNSettings, FinetuneSettings
from pipeline.data.annotations import Dataset, training_rows
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.selection import shapes_of
from pipeline.data.hold_out import hold_out_videos
from pipeline.data.length import Length, bmn_length, finetune_length
from pipeline.data.videos.left_out import skipped_ids
from pipeline.data.windows.cells import video_cells
from pipeline.data.windows.placing import trained_on


def finetune_outlook(
    config: Config, dataset: Dataset, infos: Mapping[str, VideoInfo]
) -> Length[FinetuneSettings]:
    """How long fine-tuning will be; 0 clips where there is nothing to train on.

    `infos` tells the videos' aspects, which whole frames share batches by; where it lacks a video, it is
    taken to be like the others. Missing videos count as if they were there.
    """
    rows = rows_that_train(config, dataset)
    if rows.empty:
        return Length("finetune", config.finetune, 0, "clips", ())
    videos = rows["video"].tolist()
    whole = config.finetune.crop == "whole"
    segments = Segments(
        videos,
        rows["start"].to_numpy(float),
        rows["end"].to_numpy(float),
        dataset.targets(rows),
        {},
        shapes=shapes_of(videos, infos) if whole else None,
    )
    return finetune_length(config.finetune, segments)


def bmn_outlook(
    config: DetectionConfig, dataset: Dataset, seconds: Mapping[str, float]
) -> Length[BMNSettings]:
    """How long BMN's training will be, of videos of so many `seconds`; 0 windows where none holds a segment.

    A video whose length is not known (0) has none.
    """
    rows = rows_that_train(config, dataset)
    windows = sum(
        windows_with_segments(config, group[["start", "end"]].to_numpy(float), seconds[video])
        for video, group in rows.groupby("video", sort=False)
        if seconds[video] > 0
    )
    return bmn_length(config.bmn, windows)


def windows_with_segments(config: DetectionConfig, segments: np.ndarray, duration: float) -> int:
    """How many windows of a video of `duration` seconds train on one of the segments [N, 2] (seconds)."""
    cells = video_cells(config.extract, config.bmn, duration)
    segments = np.minimum(segments, duration)
    segments = segments[segments[:, 1] > segments[:, 0]]
    spans = [cells.grid.window(int(offset), cells.temporal_scale) for offset in cells.offsets]
    return sum(bool(trained_on(segments, span, config.bmn).any()) for span in spans)


def rows_that_train(config: Config, dataset: Dataset) -> pd.DataFrame:
    """The segments that train, both networks alike: of videos neither skipped nor held out."""
    rows, _ = training_rows(dataset, config.dataset.train_subset)
    rows = rows[~rows["video"].isin(skipped_ids(config.runtime.skip))]
    videos = list(rows["video"].unique())
    training, _ = hold_out_videos(videos, config.dataset.hold_out, config.finetune.seed)
    return rows[rows["video"].isin(training)]
