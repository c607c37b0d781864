"""Stage 1: trimmed action segments to a classifier (Sections 3 and 4, Appendix A)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from feature_extraction.backbones import SlowFast, VideoNetwork
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.data.annotations.class_names import write_class_names
from pipeline.data.clips import balance
from pipeline.data.clips.segments import Segments, segments_digest
from pipeline.data.clips.selection import training_segments
from pipeline.data.clips.training import clip_batches, epoch_clips
from pipeline.data.features.imported import require_imported
from pipeline.data.hold_out import chooses_epoch, require_use
from pipeline.data.length import Length, finetune_length, say_length
from pipeline.data.pooled.batches import feature_batches, pooled_digest
from pipeline.data.pooled.means import Pooled
from pipeline.data.pooled.selection import pooled_segments
from pipeline.data.proxies.form import proxies_folder
from pipeline.data.proxies.training import on_proxies
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.videos.lengths import in_seconds
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.processes.device import share_cores
from pipeline.processes.stopping import Interrupted
from pipeline.progress import say
from pipeline.ranks import ranks
from pipeline.results.accuracy import geometry_warning, judged, validate
from pipeline.results.classification.feature_classifier import (
    new_feature_classifier,
    validate_features,
)
from pipeline.run_folder.ledger import LEDGER
from pipeline.run_folder.stage import Stage
from pipeline.runs.logs import training_log
from pipeline.runs.run import Run
from pipeline.runs.work import put_back
from pipeline.training.checkpoints import CHECKPOINT_FILE
from pipeline.training.loop import Fitted, fit, keep_result
from pipeline.training.networks.bmn import require_groups
from pipeline.training.networks.classifier import (
    SharedClassifier,
    classifier_loss,
    feature_loss,
    new_classifier,
)
from pipeline.training.optimisation import say_learning_rate
from pipeline.training.steps import Batch
from pipeline.training.task import Task


@dataclass(frozen=True)
class _Training:
    """A fine-tuning that is ready to begin; `task` is made once its stage is open."""

    network: VideoNetwork
    shared: SharedClassifier
    length: Length[FinetuneSettings]
    segments: tuple[int, int]  # that train, and that are validated on
    task: Callable[[], Task]


def run(run: Run) -> None:
    """Train the classifier and write `finetune/model.pt` and `finetune/history.json`.

    All that it needs is looked at before a former training is moved aside.
    """
    if run.is_complete("finetune"):
        say("finetune: complete, nothing to do")
        return
    require_use(run.config)
    left_out = run.left_out("finetune", at_once=True)
    on_features = run.config.finetune.source == "features"
    training = (_on_features if on_features else _on_video)(run, left_out)
    stage = run.open("finetune")
    if stage.complete:  # taken back
        return
    if (stage.folder / CHECKPOINT_FILE).exists():  # its steps were taken without them
        left_out.remember()
    train, validation = training.segments
    seen = " by their features" if on_features else ""
    say(f"finetune: {train} training and {validation} validation segments{seen} on {run.device}")
    say_length(training.length)
    settings = training.length.settings
    say_learning_rate("finetune", settings)
    fitted = _fitted(run, stage, training.shared, training.task(), settings, left_out)
    left_out.merge(distributed.gather_values(left_out.reasons))
    left_out.merge_parts(distributed.gather_values(left_out.parts))
    if not stage.writes:
        return
    left_out.settle()
    left_out.say_parts()
    if (warning := geometry_warning(fitted.history[fitted.kept - 1])) is not None:
        say(f"finetune: {warning}")
    write_class_names(stage.folder, run.dataset.heads)
    keep_result(stage, training.network, fitted, left_out.summary())


def _on_video(run: Run, left_out: LeftOut) -> _Training:
    """A network on clips of the videos."""
    workers = run.config.runtime.workers
    measured = distributed.from_main_process(lambda: run.sightings.lengths(run.videos, workers))
    train, validation = training_segments(run.config, run.dataset, left_out, in_seconds(measured))
    train = _on_proxies(run, train, left_out)
    share_cores(run.device, run.config.runtime.workers)
    length = finetune_length(run.config.finetune, train)
    settings = length.settings
    model = _network(run, settings)
    shared = SharedClassifier(
        model,
        compiled=settings.compile,
        freeze_norm=settings.freeze_norm,
        head_only=run.config.backbone.train == "head",
    )
    counts = len(train), len(validation)
    task = partial(_task, run, settings, train, validation, left_out)
    return _Training(model, shared, length, counts, task)


def _on_proxies(run: Run, train: Segments, left_out: LeftOut) -> Segments:
    """The training segments, read from proxies where `finetune.proxies` says so."""
    side = run.config.finetune.proxies
    folder = proxies_folder(run.config, run.folder)
    if side is not None:
        return on_proxies(train, folder, side, run.sightings.identities, left_out)
    if (folder / LEDGER).is_file():
        say(f"finetune: the proxies in {folder} are not read: finetune.proxies is null")
    return train


def _on_features(run: Run, left_out: LeftOut) -> _Training:
    """A linear classifier on the run's stored features."""
    require_imported(imported=run.has_imported_features)
    train, validation = pooled_segments(run.config, run.dataset, run.features, left_out)
    length = finetune_length(run.config.finetune, train.segments)
    model = new_feature_classifier(run.config, run.dataset.num_classes, train).to(run.device)
    task = partial(_feature_task, run, length.settings, train, validation)
    counts = len(train), len(validation)
    return _Training(model, SharedClassifier(model), length, counts, task)


def _feature_task(run: Run, settings: FinetuneSettings, train: Pooled, validation: Pooled) -> Task:
    """The training of a linear classifier as the training loop takes it."""
    sizes = [len(batch) for batch in epoch_clips(train.segments, settings, 0)]
    distributed.require_full_batches(sizes, "finetune")
    if settings.balance != "none":
        say(f"finetune: {balance.balance_line(train.segments, settings)}")
    judges = {"judges": pooled_digest(validation)} if chooses_epoch(settings) else {}

    def check(model: nn.Module) -> dict[str, float]:
        return validate_features(model, validation, run.device)

    return Task(
        "finetune",
        lambda epoch, step: feature_batches(train, settings, epoch=epoch, step=step),
        feature_loss(settings),
        steps=len(sizes),
        samples={"samples": pooled_digest(train)} | judges,
        validate=check if len(validation) else None,
        judge=judged,
    )


def _fitted(
    run: Run,
    stage: Stage,
    model: SharedClassifier,
    task: Task,
    settings: FinetuneSettings,
    left_out: LeftOut,
) -> Fitted:
    """Train. Raises UserError if that fails; a former training is then in its place again."""
    try:
        log = training_log(run, stage, settings.batch_size)
        return fit(model, task, settings, stage, run.device, log)
    except UserError as error:
        left_out.note()
        if not isinstance(error, Interrupted):
            put_back(run, stage)
        raise


def _network(run: Run, settings: FinetuneSettings) -> VideoNetwork:
    """The network with its initial weights, on the run's device."""
    backbone = run.config.backbone
    model = new_classifier(backbone, run.dataset.num_classes, settings.seed)
    if run.config.bmn is not None:  # otherwise it would report this only later
        require_groups(run.config.bmn, model.feature_dim)
    if isinstance(model, SlowFast):
        seen = -(-settings.frames // model.alpha)
        say(f"{backbone.title}: the slow pathway sees {seen} of a clip's {settings.frames} frames")
    model.to(device=run.device, memory_format=torch.channels_last)
    model = distributed.synchronize_norms(model, run.device)
    if settings.activation_checkpointing and not model.checkpoint_activations():
        say(f"finetune.activation_checkpointing: {backbone.title} does not support it: no effect")
    return model


def _task(
    run: Run,
    settings: FinetuneSettings,
    train: Segments,
    validation: Segments,
    left_out: LeftOut,
) -> Task:
    """Fine-tuning as the training loop takes it. Raises UserError if processes cannot share its batches."""
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
