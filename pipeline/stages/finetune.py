"""Stage 1: trimmed action segments to a classifier (Sections 3 and 4, Appendix A)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from feature_extraction.backbones import SlowFast
from feature_extraction.backbones.recompute import recompute_in_backward
from feature_extraction.backbones.resnet import Bottleneck
from pipeline.configuration.settings import Config
from pipeline.configuration.training_settings import FinetuneSettings
from pipeline.data import annotations
from pipeline.data.clips import balance
from pipeline.data.clips import training as clips
from pipeline.data.clips.segments import Segments, digest
from pipeline.data.clips.selection import training_segments
from pipeline.data.failures import NOT_THERE, Failure, counted, read_failures, write_failures
from pipeline.data.hold_out import chooses_epoch, require_use
from pipeline.data.length import finetune_length, say_length
from pipeline.data.unreadable import Unreadable
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.processes.device import pick_device, share_cores
from pipeline.progress import say
from pipeline.ranks import ranks
from pipeline.results.accuracy import geometry_warning, judged, validate
from pipeline.run_folder import manifests as artifacts
from pipeline.stages.opening import begin_stage
from pipeline.training.checkpoints import MODEL_FILE, save_weights
from pipeline.training.classifier import SharedClassifier, classifier_loss, new_classifier
from pipeline.training.loop import Fitted, fit
from pipeline.training.optimisation import say_learning_rate
from pipeline.training.steps import Batch
from pipeline.training.task import Task


def run(config: Config, folder: Path, *, force: bool = False) -> None:
    """Train the classifier and write `finetune/model.pt` and `finetune/history.json`."""
    stage = begin_stage(config, folder, "finetune", force=force)
    if stage.complete:
        say("finetune: complete, nothing to do")
        return
    require_use(config)
    dataset = annotations.load(config.dataset)
    train, validation, missing, skipped = training_segments(config, dataset)
    device = pick_device(config.runtime.device)
    share_cores(device, config.runtime.workers)
    length = finetune_length(config.finetune, train)
    settings = length.settings
    config = config.model_copy(update={"finetune": settings})
    say(f"finetune: {len(train)} training and {len(validation)} validation segments on {device}")
    say_length(length)
    say_learning_rate("finetune", settings)
    model = new_classifier(config.backbone, dataset.num_classes, settings.seed)
    if isinstance(model, SlowFast):
        seen = -(-settings.frames // model.alpha)
        say(
            f"{config.backbone.name}: the slow pathway sees {seen} of a clip's {settings.frames} frames"
        )
    model.to(device, memory_format=torch.channels_last)
    model = distributed.synchronize_norms(model, device)
    allowed = config.runtime.allow_failures - len(missing)
    before = read_failures(stage.folder)
    unreadable = Unreadable(allowed, _left_out_before(before))

    def note() -> None:
        if stage.leads:
            _list_failures(stage, missing, unreadable, before)

    try:
        history, kept = _train(config, model, train, validation, note, unreadable, stage, device)
    except UserError:
        note()
        raise
    unreadable.merge(distributed.gather_values(unreadable.reasons))
    if not stage.leads:
        return
    note()
    save_weights(model, stage.folder / MODEL_FILE)
    artifacts.write_json(stage.folder / "history.json", history)
    if (warning := geometry_warning(history[kept - 1])) is not None:
        say(f"finetune: {warning}")
    left_out = {*missing, *skipped, *unreadable.reasons}
    summary = history[kept - 1] | {"kept_epoch": kept}
    stage.finish(summary | {"left_out": sorted(left_out), "skipped": len(skipped)})
    # Last: killed before this line, the stage is complete; killed before `finish`, it goes on from here.
    (stage.folder / "checkpoint.pt").unlink(missing_ok=True)


def _left_out_before(before: Mapping[str, Failure]) -> dict[str, str]:
    """The videos this training went without before it was stopped."""
    return {
        video: failure.reason
        for video, failure in before.items()
        if failure.left_out and failure.reason != NOT_THERE
    }


def _list_failures(
    stage: artifacts.Stage,
    missing: list[str],
    unreadable: Unreadable,
    before: Mapping[str, Failure],
) -> None:
    """List the videos the training goes without, and the one that ended it, in `failures.json`."""
    tried = {video: unreadable.reasons[video] for video in unreadable.tried}
    rows = counted(dict.fromkeys(missing, NOT_THERE) | tried, before)
    rows |= {video: before[video] for video in unreadable.reasons.keys() - rows.keys()}
    for video in unreadable.refused:
        rows[video] = replace(rows[video], left_out=False)
    write_failures(stage.folder, "finetune", rows)


def _require_shared(sizes: list[int], settings: FinetuneSettings) -> None:
    """Refuse batches too small for every process to have a clip of. Raises UserError."""
    if settings.crop == "whole" and min(sizes) < ranks().size:
        raise UserError(
            f"finetune: a batch of {min(sizes)} clips cannot be shared by {ranks().size} processes: whole "
            "frames share a batch with those of their shape alone; start fewer processes, or give "
            "finetune.crop a number"
        )
    distributed.require_full_batches(sizes, "finetune")


def _train(
    config: Config,
    model: nn.Module,
    train: Segments,
    validation: Segments,
    note: Callable[[], None],
    unreadable: Unreadable,
    stage: artifacts.Stage,
    device: torch.device,
) -> Fitted:
    settings, workers = config.finetune, config.runtime.workers
    if settings.recompute:
        recompute_in_backward(m for m in model.modules() if isinstance(m, Bottleneck))
    sizes = [len(batch) for batch in clips.epoch_batches(train, settings, 0)]
    _require_shared(sizes, settings)
    if settings.balance != "none":
        say(f"finetune: {balance.describe(train, settings)}")

    def batches(epoch: int, step: int) -> Iterator[Batch]:
        return clips.training_batches(
            train, settings, unreadable, workers=workers, epoch=epoch, step=step
        )

    def check(model: nn.Module) -> dict[str, float]:
        return validate(model.network, validation, config, unreadable, device)

    judges = {"judges": digest(validation)} if chooses_epoch(settings) else {}
    task = Task(
        "finetune",
        batches,
        classifier_loss(config.backbone, settings),
        steps=len(sizes),
        samples={"samples": digest(train)} | judges,
        validate=check if len(validation) else None,
        judge=judged,
        on_checkpoint=note,
    )
    whole = SharedClassifier(model, compiled=settings.compile, freeze_norm=settings.freeze_norm)
    return fit(whole, task, settings, stage, device)
