"""Stage 3: features to ActionFormer (Zhang, Wu, Li 2022)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from pipeline.configuration.reading import SHIPPED
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.data.hold_out import require_use
from pipeline.data.length import actionformer_length
from pipeline.data.sequences.holding import (
    Sample,
    samples_digest,
    training_videos,
    videos_holding,
)
from pipeline.data.sequences.samples import epoch_videos, sequence_batches, whole_sequences
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.windows.judging import judging_samples
from pipeline.processes import distributed
from pipeline.processes.device import share_cores
from pipeline.progress import say
from pipeline.results.validation.actionformer import validation_loss
from pipeline.runs.run import Run
from pipeline.stages.heads.training import rows_to_train, train_head
from pipeline.training.networks.actionformer import (
    Networks,
    build_network,
    detection_loss,
    recipe_of,
    sizes_of,
    start_classes,
)
from pipeline.training.steps import Batch
from pipeline.training.task import Task


def run(run: Run) -> None:
    """Train on the videos of the training subset, and write `actionformer/model.pt`.

    All that it needs is looked at before a former training is moved aside.
    """
    if run.is_complete("actionformer"):
        say("actionformer: network complete, nothing to do")
        return
    require_use(run.config)
    if run.config.actionformer is None:
        say(f"actionformer: {_at_defaults(run.config.dataset.name)}")
    left_out = run.left_out("actionformer")
    sizes = sizes_of(run.detection.actionformer, run.dataset.heads)
    samples, judges, channels = training_and_judging(run, left_out)
    share_cores(run.device, run.config.runtime.workers)
    length = actionformer_length(run.detection.actionformer, len(samples))
    settings = length.settings
    distributed.require_full_batches(list(length.batches), "actionformer")
    torch.manual_seed(settings.seed)
    model = build_network(settings, channels, sizes)
    start_classes(model, sizes, np.concatenate([sample.classes for sample in samples]))
    model = model.to(run.device)
    said = f"{sum(len(sample.segments) for sample in samples)} segments of {len(samples)} videos"
    train_head(
        run, length, said, model, lambda: _task(run, model, settings, samples, judges), left_out
    )


def _at_defaults(dataset: str) -> str:
    """What a configuration without a section actionformer trains with, and where there is something better."""
    shipped = f"{dataset}_actionformer"
    if not (SHIPPED / f"{shipped}.yaml").is_file():
        shipped = ""
    better = (
        f"--config {shipped} has those for {dataset}"
        if shipped
        else "set its keys (docs/how-to/actionformer.md)"
    )
    return f"the configuration has no section actionformer: its values are those published for THUMOS14; {better}"


def training_and_judging(run: Run, left_out: LeftOut) -> tuple[list[Sample], list[Sample], int]:
    """The videos that train, those whose loss chooses the epoch, and the features' channels.

    What is left out, and what no position learns, is reported.
    """
    config, settings = run.detection, run.detection.actionformer
    rows, training, held_out, channels = rows_to_train(run, "actionformer", left_out)
    samples, counts = training_videos(run.features, settings, run.dataset, rows, training)
    for reason, count in counts.items():
        say(f"actionformer: {count} of {len(rows)} training segments {reason}")

    def find(rows: pd.DataFrame, videos: Sequence[str]) -> tuple[list[Sample], Counter[str]]:
        return videos_holding(run.features, settings, run.dataset, rows, videos)[:2]

    store, dataset, apart = run.features, run.dataset, run.left_out("actionformer")
    judges = judging_samples(config, "actionformer", store, dataset, held_out, apart, find)
    return samples, judges, channels


def _task(
    run: Run,
    model: Networks,
    settings: ActionFormerSettings,
    samples: Sequence[Sample],
    judges: Sequence[Sample],
) -> Task:
    """ActionFormer's training as the training loop takes it."""
    store, workers, device = run.features, run.config.runtime.workers, run.device
    sizes = sizes_of(settings, run.dataset.heads)
    steps = len(epoch_videos(len(samples), settings, 0))

    def batches(epoch: int, step: int) -> Iterator[Batch]:
        return sequence_batches(
            store, settings, samples, sizes, workers=workers, epoch=epoch, step=step
        )

    def read(plan: Sequence[int]) -> Iterator[Batch]:
        return whole_sequences(store, settings, judges, sizes, plan, workers=workers)

    def check(trained: nn.Module) -> dict[str, float]:
        assert isinstance(trained, Networks)
        return validation_loss(trained, len(judges), read, settings, sizes, device)

    return Task(
        "actionformer",
        batches,
        detection_loss(model, settings, sizes),
        steps=steps,
        samples={"samples": samples_digest(samples)}
        | ({"judges": samples_digest(judges)} if judges else {}),
        validate=check if judges else None,
        judge=lambda row: -row["val_total"],
        recipe=recipe_of(settings, steps),
    )
