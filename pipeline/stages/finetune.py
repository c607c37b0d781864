"""Stage 1: trimmed action segments to a classifier (Sections 3 and 4, Appendix A)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.backbones import SlowFast
from feature_extraction.backbones.recompute import recompute_in_backward
from feature_extraction.backbones.resnet import Bottleneck
from pipeline import annotations, artifacts, clips, distributed
from pipeline.config import Config
from pipeline.device import pick_device, share_cores
from pipeline.errors import UserError
from pipeline.models import MODEL_FILE, SharedClassifier, new_classifier, save_classifier
from pipeline.opening import begin_stage
from pipeline.optimisation import build_optimizer, say_learning_rate, schedule_of
from pipeline.progress import say
from pipeline.training import fit
from pipeline.validation import network_input, validate
from pipeline.videos import require_videos

FAILURES = "failures.json"
NOT_THERE = "no such file"


def run(config: Config, folder: Path, *, force: bool = False) -> None:
    """Train the classifier and write `finetune/model.pt` and `finetune/history.json`."""
    stage = begin_stage(config, folder, "finetune", force=force)
    if stage.complete:
        say("finetune: complete, nothing to do")
        return
    dataset = annotations.load(config.dataset)
    train, validation, missing = _segments(config, dataset)
    device = pick_device(config.runtime.device)
    share_cores(device, config.runtime.workers)
    settings = config.finetune
    say(f"finetune: {len(train)} training and {len(validation)} validation segments on {device}")
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
    unreadable = clips.Unreadable(allowed, _unreadable_before(stage))
    history = _train(config, model, train, validation, missing, unreadable, stage, device)
    unreadable.merge(distributed.gather_values(unreadable.reasons))
    if not stage.leads:
        return
    save_classifier(model, stage.folder / MODEL_FILE)
    artifacts.write_json(stage.folder / "history.json", history)
    stage.finish(history[-1] | {"left_out": _left_out(stage, missing, unreadable)})
    # Last: killed before this line, the stage is complete; killed before `finish`, it goes on from here.
    (stage.folder / "checkpoint.pt").unlink(missing_ok=True)


def classification_loss(
    outputs: Tensor | tuple[Tensor, Tensor], target: Tensor, smoothing: float
) -> Tensor:
    """Cross-entropy of one head, or the sum of the verb and the noun head's; target [B, heads]."""
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    losses = [
        F.cross_entropy(head.float(), target[:, i], label_smoothing=smoothing)
        for i, head in enumerate(heads)
    ]
    return torch.stack(losses).sum()


def _segments(
    config: Config, dataset: annotations.Dataset
) -> tuple[clips.Segments, clips.Segments, list[str]]:
    """Training and validation segments, and the videos that are not there."""
    for line, count in dataset.notes.items():
        say(f"annotations: {count} {line}")
    parts = []
    wanted = (config.dataset.train_subset, config.dataset.eval_subset)
    ids = [video for subset in wanted for video in dataset.rows(subset)["video"].unique()]
    paths = require_videos(config.dataset, dataset, ids, config.runtime.allow_failures)
    for subset in wanted:
        rows, counts = annotations.training_rows(dataset, subset)
        for reason, count in counts.items():
            say(f"annotations, {subset}: {count} segments: {reason}")
        segments = clips.make_segments(rows, dataset.targets(rows), paths)
        if config.finetune.flip_swaps_sides and len(dataset.heads) == 1:
            mirrored = clips.mirrored_classes(dataset.heads[0])
            segments = dataclasses.replace(segments, mirrored=mirrored)
        if len(segments) < len(rows):
            say(
                f"annotations, {subset}: {len(rows) - len(segments)} segments of missing videos left out"
            )
        parts.append(segments)
    train, validation = parts
    if not len(train):
        raise UserError(f"dataset.train_subset {wanted[0]!r}: no segment to train on")
    return train, validation, [video for video in ids if video not in paths]


def _unreadable_before(stage: artifacts.Stage) -> dict[str, str]:
    """The videos that could not be read before this training was stopped."""
    path = stage.folder / FAILURES
    if not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {row["video"]: row["reason"] for row in rows if row["reason"] != NOT_THERE}


def _left_out(
    stage: artifacts.Stage, missing: list[str], unreadable: clips.Unreadable
) -> list[str]:
    """List the videos the training went without in `failures.json`, and give their ids."""
    reasons = dict.fromkeys(missing, NOT_THERE) | unreadable.reasons
    path = stage.folder / FAILURES
    if not reasons:
        path.unlink(missing_ok=True)
        return []
    rows = [{"video": v, "stage": "finetune", "reason": r} for v, r in sorted(reasons.items())]
    artifacts.write_json(path, rows)
    return sorted(reasons)


def _train(
    config: Config,
    model: nn.Module,
    train: clips.Segments,
    validation: clips.Segments,
    missing: list[str],
    unreadable: clips.Unreadable,
    stage: artifacts.Stage,
    device: torch.device,
) -> list[dict[str, float]]:
    settings, workers = config.finetune, config.runtime.workers

    def batches(epoch: int, step: int) -> Iterator[Mapping]:
        return clips.training_batches(
            train, settings, unreadable, workers=workers, epoch=epoch, step=step
        )

    def loss(model: nn.Module, batch: Mapping, generator: torch.Generator) -> dict[str, Tensor]:
        outputs = model(network_input(batch["clip"], config.backbone))
        target = distributed.gather(batch["target"])
        return {"total": classification_loss(outputs, target, settings.label_smoothing)}

    def check(model: nn.Module) -> dict[str, float]:
        network = model.network
        return (
            validate(network, validation, settings, config.backbone, unreadable, workers, device)
            if len(validation)
            else {}
        )

    def saved(done: int, total: int) -> None:
        stage.progress(done, total)
        _left_out(stage, missing, unreadable)

    if settings.recompute:
        recompute_in_backward(m for m in model.modules() if isinstance(m, Bottleneck))
    sizes = [len(batch) for batch in clips.epoch_batches(len(train), settings, 0)]
    distributed.require_full_batches(sizes, "finetune")
    whole = SharedClassifier(model, compiled=settings.compile)
    return fit(
        whole,
        batches,
        loss,
        optimizer=build_optimizer(whole, settings),
        schedule=schedule_of(settings),
        steps=len(sizes),
        seed=settings.seed,
        device=device,
        checkpoint=stage.folder / "checkpoint.pt",
        fingerprint=artifacts.fingerprint(
            {"stage": stage.fingerprint, "samples": clips.digest(train)}
        ),
        precision=settings.precision,
        grad_clip=settings.grad_clip,
        accumulate=settings.accumulate,
        average=settings.average,
        checkpoint_seconds=settings.checkpoint_seconds,
        validate=check,
        on_checkpoint=saved,
        title="finetune",
    )
