"""Stage 3: features to the boundary-matching network (Lin et al. 2019; Appendix A.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import nn

from pipeline.configuration.sections.training import BMNSettings
from pipeline.data.hold_out import require_use
from pipeline.data.length import bmn_length
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.windows.holding import training_windows, windows_holding
from pipeline.data.windows.judging import judging_samples
from pipeline.data.windows.placing import Window, windows_digest
from pipeline.data.windows.samples import epoch_windows, regular_batches, window_batches
from pipeline.processes import distributed
from pipeline.processes.device import share_cores
from pipeline.progress import say
from pipeline.results.validation.bmn import validation_loss
from pipeline.runs.run import Run
from pipeline.stages.heads.training import rows_to_train, train_head
from pipeline.training.networks.bmn import build_network, proposal_loss
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
    said = f"{len(samples)} windows of {_videos_of(samples)} videos"
    train_head(run, length, said, model, lambda: _task(run, settings, samples, judges), left_out)


def training_and_judging(run: Run, left_out: LeftOut) -> tuple[list[Window], list[Window], int]:
    """The windows that train, those whose loss chooses the epoch, and the features' channels.

    What is left out is reported.
    """
    config, settings = run.detection, run.detection.bmn
    rows, training, held_out, channels = rows_to_train(run, "bmn", left_out)
    samples, counts = training_windows(run.features, settings, rows, training)
    for reason, count in counts.items():
        say(f"bmn: {count} of {len(rows)} training segments {reason}")
    judges = judging_samples(
        config,
        "bmn",
        run.features,
        run.dataset,
        held_out,
        run.left_out("bmn"),
        partial(windows_holding, run.features, settings, moving=False),
    )
    return samples, judges, channels


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
