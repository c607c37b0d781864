"""What the networks cannot do without: operations counted on tensors without data, and bytes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from actionformer import ActionFormer
from benchmarks.measure import Cost
from bmn import BMN
from feature_extraction.backbones import VideoResNet

SIZE_OF = {"float32": 4, "bfloat16": 2}


def inference_cost(
    model: VideoResNet, video: tuple[int, int, int, int, int], precision: str = "float32"
) -> Cost:
    """A clip through the backbone: the convolutions' operations; weights and clip read once.

    video: the shape [B, 3, T, H, W] of a batch; the cost is a clip's share of it.
    """
    clips = video[0]
    operations = _operations(model, lambda net: net.features(torch.empty(video, device="meta")))
    moved = _parameters(model) + torch.Size(video).numel()
    return Cost(operations / clips, moved * SIZE_OF[precision] / clips, precision)


def training_cost(
    model: VideoResNet, video: tuple[int, int, int, int, int], precision: str = "float32"
) -> Cost:
    """A batch forward and backward; weights read twice and gradients written once."""
    operations = _operations(
        model, lambda net: net(torch.empty(video, device="meta")).sum().backward()
    )
    moved = 3 * _parameters(model) + torch.Size(video).numel()
    return Cost(operations, moved * 4, precision)


def bmn_cost(model: BMN, batch: int, *, backward: bool) -> Cost:
    """A batch through BMN: its convolutions and products, and the sparse interpolation.

    Forwards the map's cells, hidden_3d wide, are written once and read once.
    """
    matching = model.matching
    num_samples, wide, inner = matching.weight.shape
    positions = batch * matching.temporal_scale
    operations = 2.0 * positions * num_samples * wide * inner
    operations += 2.0 * batch * len(matching.sample_indices) * wide
    cells = batch * len(matching.cells)
    operations += 2.0 * cells * wide * model.reduce.out_features
    grid = (batch, model.reduce.out_features, matching.duration_scale, matching.temporal_scale)
    operations += _operations(model.map_head, lambda net: net(torch.empty(grid, device="meta")))
    shape = (batch, model.base[0].in_channels, matching.temporal_scale)
    operations += _operations(
        nn.Sequential(model.base, model.map_base),
        lambda net: net(torch.empty(shape, device="meta")),
    )
    moved = _parameters(model) + torch.Size(shape).numel() + 2 * cells * wide
    factor = 3 if backward else 1  # two products for each of the forward's
    return Cost(factor * operations, factor * 4.0 * moved)


def _operations(model: nn.Module, run: Callable[[Any], Any]) -> float:
    """Floating-point operations (a multiplication and an addition are two)."""
    shadow = copy.deepcopy(model).to("meta")
    with FlopCounterMode(display=False) as counter:
        run(shadow)
    return float(counter.get_total_flops())


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def actionformer_cost(model: ActionFormer, batch: Tensor, mask: Tensor) -> Cost:
    """A batch forward through ActionFormer's convolutions and products; weights and features once."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(batch, mask)  # on data: how much padding is left out depends on the mask
    return Cost(float(counter.get_total_flops()), 4.0 * (_parameters(model) + batch.numel()))
