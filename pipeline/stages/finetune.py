"""Stage 1: trimmed action segments to a classifier (Sections 3 and 4, Appendix A)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from feature_extraction.backbones import SlowFast, VideoNetwork
from feature_extraction.backbones.activation_checkpointing import checkpoint_activations
from feature_extraction.backbones.blocks import Bottleneck
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.data.clips import balance
from pipeline.data.clips.segments import Segments, segments_digest
from pipeline.data.clips.selection import training_segments
from pipeline.data.clips.training import clip_batches, epoch_clips
from pipeline.data.hold_out import chooses_epoch, require_use
from pipeline.data.length import finetune_length, say_length
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.videos.lengths import in_seconds
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.processes.device import share_cores
from pipeline.processes.stopping import Interrupted
from pipeline.progress import say
from pipeline.ranks import ranks
from pipeline.results.accuracy import geometry_warning, judged, validate
from pipeline.run_folder.stage import Stage
from pipeline.runs.run import Run
from pipeline.runs.work import put_back
from pipeline.training.bmn_network import require_groups
from pipeline.training.checkpoints import CHECKPOINT_FILE
from pipeline.training.classifier import (
    SharedClassifier,
    classifier_loss,
    new_classifier,
)
from pipeline.training.loop import Fitted, fit, keep_result
from pipeline.training.optimisation import say_learning_rate
from pipeline.training.steps import Batch
from pipeline.training.task import Task


def run(run: Run) -> None:
    """Train the classifier and write `finetune/model.pt` and `finetune/history.json`.

    All that it needs is looked at before a former training is moved aside.
    """
    if run.is_complete("finetune"):
        say("finetune: complete, nothing to do")
        return
    require_use(run.config)
    left_out = run.left_out("finetune", at_once=True)
    workers = run.config.runtime.workers
    measured = distributed.from_main_process(lambda: run.sightings.lengths(run.videos, workers))
    train, validation = training_segments(run.config, run.dataset, left_out, in_seconds(measured))
    share_cores(run.device, run.config.runtime.workers)
    length = finetune_length(run.config.finetune, train)
    model = _network(run, length.settings)
    settings = length.settings
    shared = SharedClassifier(model, compiled=settings.compile, freeze_norm=settings.freeze_norm)
    stage = run.open("finetune")
    if stage.complete:  # taken back
        return
    if (stage.folder / CHECKPOINT_FILE).exists():  # its steps were taken without them
        left_out.remember()
    say(
        f"finetune: {len(train)} training and {len(validation)} validation segments on {run.device}"
    )
    say_length(length)
    say_learning_rate("finetune", length.settings)
    task = _task(run, length.settings, train, validation, left_out)
    fitted = _fitted(run, stage, shared, task, settings, left_out)
    left_out.merge(distributed.gather_values(left_out.reasons))
    if not stage.writes:
        return
    left_out.settle()
    if (warning := geometry_warning(fitted.history[fitted.kept - 1])) is not None:
        say(f"finetune: {warning}")
    keep_result(stage, model, fitted, left_out.summary())


def _fitted(
    run: Run,
    stage: Stage,
    model: SharedClassifier,
    task: Task,
    settings: FinetuneSettings,
    left_out: LeftOut,
) -> Fitted:
    """Train. Raises UserError where that fails; a former training then lies in its place again."""
    try:
        return fit(model, task, settings, stage, run.device)
    except UserError as error:
        left_out.note()
        if not isinstance(error, Interrupted):
            put_back(run, stage)
        raise


def _network(run: Run, settings: FinetuneSettings) -> VideoNetwork:
    """The network with its initial weights, on the run's device."""
    backbone = run.config.backbone
    model = new_classifier(backbone, run.dataset.num_classes, settings.seed)
    if run.config.bmn is not None:  # else it would say so after all of this
        require_groups(run.config.bmn, model.feature_dim)
    if isinstance(model, SlowFast):
        seen = -(-settings.frames // model.alpha)
        say(f"{backbone.name}: the slow pathway sees {seen} of a clip's {settings.frames} frames")
    model.to(device=run.device, memory_format=torch.channels_last)
    model = distributed.synchronize_norms(model, run.device)
    if settings.activation_checkpointing:
        checkpoint_activations(m for m in model.modules() if isinstance(m, Bottleneck))
    return model


def _task(
    run: Run,
    settings: FinetuneSettings,
    train: Segments,
    validation: Segments,
    left_out: LeftOut,
) -> Task:
    """Fine-tuning as the training loop takes it. Raises UserError where processes cannot share its batches."""
    config = run.config.model_copy(update={"finetune": settings})
    sizes = [len(batch) for batch in epoch_clips(train, settings, 0)]
    _require_shared(sizes, settings)
    if settings.balance != "none":
        say(f"finetune: {balance.balance_line(train, settings)}")

    def batches(epoch: int, step: int) -> Iterator[Batch]:
        workers = config.runtime.workers
        return clip_batches(train, settings, left_out, workers=workers, epoch=epoch, step=step)

    def check(model: nn.Module) -> dict[str, float]:
        return validate(model.get_submodule("network"), validation, config, left_out, run.device)

    judges = {"judges": segments_digest(validation)} if chooses_epoch(settings) else {}
    return Task(
        "finetune",
        batches,
        classifier_loss(config.backbone, settings),
        steps=len(sizes),
        samples={"samples": segments_digest(train)} | judges,
        validate=check if len(validation) else None,
        judge=judged,
        on_checkpoint=left_out.note,
    )


def _require_shared(sizes: list[int], settings: FinetuneSettings) -> None:
    """Refuse batches too small for every process to have a clip of. Raises UserError."""
    if settings.crop == "whole" and min(sizes) < ranks().size:
        raise UserError(
            f"finetune: a batch of {min(sizes)} clips cannot be shared by {ranks().size} processes: whole "
            "frames share a batch with those of their shape alone; start fewer processes, or give "
            "finetune.crop a number"
        )
    distributed.require_full_batches(sizes, "finetune")
