"""How fast this machine does each kind of work: a few steps are timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from feature_extraction.backbones import FeatureClassifier, for_inference
from pipeline.configuration.sections.detection import ExtractSettings
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.data.clips.geometry import training_crop
from pipeline.processes.device import autocast
from pipeline.stages.ranking import VIEWS_AT_ONCE
from pipeline.training.networks.classifier import classification_loss


def pieces_a_second(step: Callable[[], object], count: int, device: torch.device) -> float:
    """Pieces per second of a step that does `count`: the median of three after one to warm up."""
    times = []
    for _ in range(4):
        began = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    return count / median(times[1:])


def network_rate(
    settings: ExtractSettings,
    model: torch.nn.Module,
    size: tuple[int, int],
    device: torch.device,
    *,
    quick: bool = False,
) -> float:
    """Clips per second of extraction, of frames of `size` (height, width); `quick` times smaller ones, uncompiled."""
    compiled = settings.compile and not quick
    network = for_inference(model, precision=settings.precision, compiled=compiled)
    network.to(device)
    count, (size, share) = 1 if quick else settings.batch_size, _timed(size, quick=quick)
    video = torch.randn(count, 3, settings.frames, *size, device=device)
    return share * pieces_a_second(lambda: network.features(video), count, device)


def views_rate(
    frames: int,
    side: int,
    model: torch.nn.Module,
    device: torch.device,
    *,
    quick: bool = False,
) -> float:
    """Views a second of eval-classifier: clips of so many frames, squares of `side` pixels; `quick` as above."""
    network = for_inference(model).to(device)
    size, share = _timed((side, side), quick=quick)
    video = torch.randn(VIEWS_AT_ONCE, 3, frames, *size, device=device)
    return share * pieces_a_second(lambda: network.features(video), VIEWS_AT_ONCE, device)


def training_rate(
    settings: FinetuneSettings,
    model: torch.nn.Module,
    whole: tuple[int, int],
    device: torch.device,
    *,
    quick: bool = False,
) -> float:
    """Clips per second of fine-tuning; `whole` is the size of frames as extraction sees them, `quick` as above."""
    crop = training_crop(settings)
    # Whole frames as training sees them: those of extraction, at the middle of the jittered short sides.
    scale = sum(settings.short_side) / 2 / min(whole)
    size = (crop, crop) if crop else (round(whole[0] * scale), round(whole[1] * scale))
    size, share = _timed(size, quick=quick)
    # No more than fits anywhere; a step of more clips costs in proportion.
    count = min(2, settings.batch_size)
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch takes both
    model.train()
    video = torch.randn(count, 3, settings.frames, *size, device=device)
    heads = 2 if isinstance(model.num_classes, tuple) else 1
    target = torch.zeros(count, heads, dtype=torch.int64, device=device)

    def step() -> None:
        with autocast(device, settings.precision):
            loss = classification_loss(model(video), target, settings.label_smoothing)
        torch.autograd.backward([loss])
        model.zero_grad(set_to_none=True)

    return share * pieces_a_second(step, count, device)


def _timed(size: tuple[int, int], *, quick: bool) -> tuple[tuple[int, int], float]:
    """The size of frames that is timed, and its area's share of the size that is asked about."""
    height, width = (max(32, side // 2) if quick else side for side in size)
    return (height, width), height * width / (size[0] * size[1])


def head_rate(
    settings: FinetuneSettings,
    channels: int,
    num_classes: int | tuple[int, int],
    device: torch.device,
) -> float:
    """Segments per second of the training of a linear classifier on features of this many channels."""
    count, heads = settings.batch_size, 2 if isinstance(num_classes, tuple) else 1
    model = FeatureClassifier(channels, num_classes).to(device).train()
    features = torch.randn(count, channels, device=device)
    target = torch.zeros(count, heads, dtype=torch.int64, device=device)

    def step() -> None:
        loss = classification_loss(model(features), target, settings.label_smoothing)
        torch.autograd.backward([loss])
        model.zero_grad(set_to_none=True)

    return pieces_a_second(step, count, device)
