"""How long a run's trainings will be, from annotations and durations before any features exist."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from feature_extraction.video.reader import VideoInfo
from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.configuration.settings import Config, DetectionConfig
from pipeline.data.annotations import Dataset
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.selection import shapes_of
from pipeline.data.hold_out import training_parts
from pipeline.data.length import Length, actionformer_length, bmn_length, finetune_length
from pipeline.data.windows.cells import windows_with_segments
from pipeline.runs.run import Run
from pipeline.training.networks.classifier import untrained_classifier
from pipeline.training.networks.unfilled import forms_alone


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
    whole = config.finetune.crop == "whole" and config.finetune.source == "video"
    segments = Segments(
        videos,
        rows["start"].to_numpy(float),
        rows["end"].to_numpy(float),
        dataset.targets(rows),
        {},
        shapes=shapes_of(videos, infos) if whole else None,
    )
    return finetune_length(config.finetune, segments)


def head_outlook(
    config: DetectionConfig, dataset: Dataset, seconds: Mapping[str, float]
) -> Length[OptimisationSettings]:
    """How long the head's training will be, of videos of this many `seconds`.

    BMN's samples are windows, and 0 where none holds a segment; ActionFormer's are videos. One whose length is not
    known (0) has none.
    """
    rows = rows_that_train(config, dataset)
    if config.detector.name == "actionformer":
        known = [video for video in rows["video"].unique() if seconds[video] > 0]
        return actionformer_length(config.actionformer, len(known))
    windows = sum(
        windows_with_segments(config, group[["start", "end"]].to_numpy(float), seconds[video])
        for video, group in rows.groupby("video", sort=False)
        if seconds[video] > 0
    )
    return bmn_length(config.bmn, windows)


def rows_that_train(config: Config, dataset: Dataset) -> pd.DataFrame:
    """The segments that train, both networks alike: of videos neither skipped nor held out."""
    return training_parts(config, dataset)[0]


def feature_channels(run: Run) -> int:
    """Channels of the features: of those that were imported, else of those the network will make.

    Raises UserError if the files differ, UsageError for a network that cannot be.
    """
    if run.ways.imported:
        there = run.facts().ledger("extract").lines
        return run.features.common_channels([video for video in run.videos if video in there])
    with forms_alone():
        return untrained_classifier(run.config.backbone, run.dataset.num_classes).feature_dim
