"""How fast this machine trains a head and detects with it: a few steps are timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from actionformer.targets import Targets
from bmn.losses import bmn_loss
from bmn.targets import valid_mask, window_targets
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.configuration.sections.training import BMNSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.clips.geometry import clip_grid
from pipeline.data.features.timed import Features
from pipeline.data.sequences.learnt import video_points
from pipeline.processes.device import autocast
from pipeline.results.detecting import found_in
from pipeline.tools.rates import pieces_a_second
from pipeline.training.networks import actionformer, bmn

_LEARNING = 0.1  # of the points, as an estimate; more or fewer take the same time


def head_training_rate(
    config: DetectionConfig, channels: int, sizes: Sequence[int], device: torch.device
) -> float:
    """Samples per second of the training of the head on features of this many channels; `sizes` count the classes."""
    if config.detector.name == "bmn":
        return _rate_of_bmn(config.bmn, channels, device)
    own = sizes if config.names_own_classes else ()
    return _rate_of_actionformer(config.actionformer, channels, own, device)


def detection_rate(
    config: DetectionConfig, channels: int, heads: Sequence[Sequence[str]], device: torch.device
) -> float:
    """Positions per second of ActionFormer on a video that is as long as a training sample, NMS included.

    The network is an untrained one, which finds something everywhere: a trained one leaves NMS less to do.
    """
    settings, grid = config.actionformer, clip_grid(config.extract)
    own = [len(head) for head in heads] if config.names_own_classes else []
    network = actionformer.build_network(settings, channels, own).to(device).eval()
    clips = settings.max_length * settings.feature_step
    values = np.random.default_rng(0).standard_normal((clips, channels), np.float32)
    features = Features(values, grid, clips * grid.seconds_per_clip)

    def step() -> None:
        found_in(network, features, "", config, heads, device)

    return pieces_a_second(step, settings.max_length, device)


def _rate_of_bmn(settings: BMNSettings, channels: int, device: torch.device) -> float:
    count = min(2, settings.batch_size)
    scale, longest = settings.temporal_scale, settings.duration_scale
    network = bmn.build_network(settings, channels).to(device)
    features = torch.randn(count, channels, scale, device=device)
    span = (0.0, float(scale))
    one = window_targets(np.array([[scale * 0.2, scale * 0.4]]), span, scale, longest)
    targets = type(one)(*(field.expand(count, *field.shape).to(device) for field in one))
    mask = valid_mask(longest, scale).to(device)
    moves = torch.zeros(count, 2, longest, scale, device=device) if settings.regression else None

    def loss() -> torch.Tensor:
        return bmn_loss(network(features), targets, mask, moves=moves).total

    return _training_rate(network, loss, settings, count, device)


def _rate_of_actionformer(
    settings: ActionFormerSettings, channels: int, sizes: Sequence[int], device: torch.device
) -> float:
    count, length = min(2, settings.batch_size), settings.max_length
    network = actionformer.build_network(settings, channels, sizes).to(device).train()
    features = torch.randn(count, channels, length, device=device)
    mask = torch.ones(count, length, dtype=torch.bool, device=device)
    learns = torch.rand(count, len(video_points(length, settings)), device=device) < _LEARNING
    offsets = torch.rand(*learns.shape, 2, device=device)

    classes = learns[..., None].expand(*learns.shape, sum(sizes) or 1).float()
    targets = Targets(classes, offsets, learns)

    def loss() -> torch.Tensor:
        made = network(features, mask)
        return actionformer.loss_terms(made, targets, network.normalizer, settings, sizes)[0][
            "total"
        ]

    return _training_rate(network, loss, settings, count, device)


def _training_rate(
    network: torch.nn.Module,
    loss: Callable[[], torch.Tensor],
    settings: BMNSettings | ActionFormerSettings,
    count: int,
    device: torch.device,
) -> float:
    def step() -> None:
        with autocast(device, settings.precision):
            total = loss()
        torch.autograd.backward([total])
        network.zero_grad(set_to_none=True)

    return pieces_a_second(step, count, device)
