"""What the trainings of both heads have in common: which segments train, and the training itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
from torch import nn

from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.data.annotations import training_rows
from pipeline.data.hold_out import held_out_line, hold_out_videos
from pipeline.data.length import Length, say_length
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.processes.stopping import Interrupted
from pipeline.progress import say
from pipeline.runs.logs import training_log
from pipeline.runs.run import Run
from pipeline.runs.work import put_back
from pipeline.training.loop import fit, keep_result
from pipeline.training.optimisation import say_learning_rate
from pipeline.training.task import Task


class TrainingRows(NamedTuple):
    """The segments that train and their `videos`, the videos held out, and how many channels their features have."""

    rows: pd.DataFrame
    videos: list[str]
    held_out: list[str]
    channels: int


def rows_to_train(run: Run, title: str, left_out: LeftOut) -> TrainingRows:
    """The training subset's segments in videos with features. What is left out is reported.

    Videos are held out as fine-tuning holds them out: a head is not judged on features of videos
    the classifier was trained on.
    """
    settings, seed = run.config.dataset, run.config.finetune.seed
    rows, counts = training_rows(run.dataset, settings.train_subset)
    for reason, count in counts.items():
        say(f"annotations, {settings.train_subset}: {count} segments: {reason}")
    videos = run.features.available(list(rows["video"].unique()), left_out)
    channels = run.features.common_channels(videos)
    rows = _before_the_end(run, title, rows[rows["video"].isin(videos)])
    videos = list(rows["video"].unique())
    training, held_out = hold_out_videos(videos, settings.hold_out, seed)
    if settings.hold_out:
        say(f"{title}: {held_out_line(rows['video'].tolist(), held_out)}")
    return TrainingRows(rows[rows["video"].isin(training)], training, held_out, channels)


def _before_the_end(run: Run, title: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The segments of videos in which one begins before the features end: the others cannot be held out."""
    ends = {video: one.seconds for video, one in run.features.lengths(rows["video"]).items()}
    inside = rows["video"][rows["start"] < rows["video"].map(ends)].unique()
    gone = rows[~rows["video"].isin(inside)]
    if len(gone):
        say(
            f"{title}: {len(gone)} of {len(rows)} training segments begin after the decoded end of their video, "
            "left out"
        )
    return rows[rows["video"].isin(inside)]


def train_head(
    run: Run,
    length: Length[OptimisationSettings],
    said: str,
    model: nn.Module,
    task: Callable[[], Task],
    left_out: LeftOut,
) -> None:
    """Train a head's network and keep it; `said` is what it trains on. Where it fails, the one before stays."""
    stage = run.open(length.section)
    if stage.complete:  # taken back
        return
    say(f"{length.section}: {said} on {run.device}")
    say_length(length)
    say_learning_rate(length.section, length.settings)
    try:
        log = training_log(run, stage, length.settings.batch_size)
        fitted = fit(model, task(), length.settings, stage, run.device, log)
    except UserError as error:
        if not isinstance(error, Interrupted):
            put_back(run, stage)
        raise
    if stage.writes:
        keep_result(stage, model, fitted, {"left_out": left_out.names})
