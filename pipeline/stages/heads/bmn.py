"""Stage 3: features to the boundary-matching network (Lin et al. 2019; Appendix A.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
import torch
from torch import nn

from pipeline.configuration.sections.training import BMNSettings
from pipeline.data.annotations import training_rows
from pipeline.data.hold_out import held_out_line, hold_out_videos, require_use
from pipeline.data.length import bmn_length, say_length
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.windows.holding import training_windows
from pipeline.data.windows.judging import judging_windows
from pipeline.data.windows.placing import Window, windows_digest
from pipeline.data.windows.samples import epoch_windows, regular_batches, window_batches
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.processes.device import share_cores
from pipeline.processes.stopping import Interrupted
from pipeline.progress import say
from pipeline.results.validation.bmn import validation_loss
from pipeline.runs.logs import training_log
from pipeline.runs.run import Run
from pipeline.runs.work import put_back
from pipeline.training.loop import fit, keep_result
from pipeline.training.networks.bmn import build_network, proposal_loss
from pipeline.training.optimisation import say_learning_rate
from pipeline.training.steps import Batch
from pipeline.training.task import Task


def run(run: Run) -> None:
    """Train on the windows (or the rescaled videos) of the training subset, and write `bmn/model.pt`.

    All that it needs is looked at before a former training is moved aside.
    """
    if run.is_complete("bmn"):
        say("bmn: network complete, nothing to do")
        return
    require_use(run.config)
    left_out = run.left_out("bmn")
    samples, judges, channels = training_and_judging(run, left_out)
    share_cores(run.device, run.config.runtime.workers)
    length = bmn_length(run.detection.bmn, len(samples))
    settings = length.settings
    distributed.require_full_batches(list(length.batches), "bmn")
    torch.manual_seed(settings.seed)
    model = build_network(settings, channels).to(run.device)
    stage = run.open("bmn")
    if stage.complete:  # taken back
        return
    say(f"bmn: {len(samples)} windows of {_videos_of(samples)} videos on {run.device}")
    say_length(length)
    say_learning_rate("bmn", settings)
    try:
        task, log = (
            _task(run, settings, samples, judges),
            training_log(run, stage, settings.batch_size),
        )
        fitted = fit(model, task, settings, stage, run.device, log)
    except UserError as error:
        if not isinstance(error, Interrupted):
            put_back(run, stage)
        raise
    if stage.writes:
        keep_result(stage, model, fitted, {"left_out": left_out.names})


def training_and_judging(run: Run, left_out: LeftOut) -> tuple[list[Window], list[Window], int]:
    """The windows that train, those whose loss chooses the epoch, and the features' channels.

    What is left out is said. Videos are held out as fine-tuning holds them out: BMN is not judged on
    features of videos the classifier has learnt by heart.
    """
    config, settings = run.detection, run.detection.bmn
    rows, counts = training_rows(run.dataset, config.dataset.train_subset)
    for reason, count in counts.items():
        say(f"annotations, {config.dataset.train_subset}: {count} segments: {reason}")
    videos = run.features.available(list(rows["video"].unique()), left_out)
    channels = run.features.common_channels(videos)
    rows = _before_the_end(run, rows[rows["video"].isin(videos)])
    share, videos = config.dataset.hold_out, list(rows["video"].unique())
    training, held_out = hold_out_videos(videos, share, config.finetune.seed)
    if share:
        say(f"bmn: {held_out_line(rows['video'].tolist(), held_out)}")
    rows = rows[rows["video"].isin(training)]
    samples, counts = training_windows(run.features, settings, rows, training)
    for reason, count in counts.items():
        say(f"bmn: {count} of {len(rows)} training segments {reason}")
    judges = judging_windows(config, run.features, run.dataset, held_out, run.left_out("bmn"))
    return samples, judges, channels


def _before_the_end(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """The segments of videos in which one begins before the features end: the others cannot be held out."""
    ends = {video: one.seconds for video, one in run.features.lengths(rows["video"]).items()}
    inside = rows["video"][rows["start"] < rows["video"].map(ends)].unique()
    gone = rows[~rows["video"].isin(inside)]
    if len(gone):
        say(
            f"bmn: {len(gone)} of {len(rows)} training segments begin after the decoded end of their video, left out"
        )
    return rows[rows["video"].isin(inside)]


def _videos_of(windows: Sequence[Window]) -> int:
    return len({window.video for window in windows})


def _task(
    run: Run, settings: BMNSettings, samples: Sequence[Window], judges: Sequence[Window]
) -> Task:
    """BMN's training as the training loop takes it."""
    store, workers, device = run.features, run.config.runtime.workers, run.device

    def batches(epoch: int, step: int) -> Iterator[Batch]:
        return window_batches(store, settings, samples, workers=workers, epoch=epoch, step=step)

    def read(plan: Sequence[Sequence[int]]) -> Iterator[Batch]:
        return regular_batches(store, settings, judges, plan, workers=workers)

    def check(model: nn.Module) -> dict[str, float]:
        return validation_loss(model, len(judges), read, settings, device)

    return Task(
        "bmn",
        batches,
        proposal_loss(settings, device),
        steps=len(epoch_windows(samples, settings, 0)),
        samples={"samples": windows_digest(samples)}
        | ({"judges": windows_digest(judges)} if judges else {}),
        validate=check if judges else None,
        judge=lambda row: -row["val_total"],
    )
