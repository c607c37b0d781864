"""A BMN training step: forward, the three losses, backward."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks import networks
from benchmarks.baselines.bmn import baseline_bmn
from benchmarks.bmn_forward import BASELINE, BATCH, OURS, work_text
from benchmarks.costs import bmn_cost
from benchmarks.drawn import draw_segments
from benchmarks.measure import Form, Row, Work, compare, relative_difference
from bmn import bmn_loss
from bmn.targets import Targets, valid_mask, window_targets

STAGE = "BMN training step"
WINDOW_SECONDS = 53.3


def run(quick: bool) -> list[Row]:
    """A batch of 4 windows, seconds per step; the base convolution's gradients are compared."""
    sizes = networks.SMALL if quick else networks.FULL
    ours = networks.draw_bmn(sizes).train()
    baseline = baseline_bmn(ours).train()
    features = torch.randn(BATCH, sizes.channels, sizes.positions)
    targets = draw_targets(sizes.positions)
    cost = bmn_cost(ours, BATCH, backward=True)
    return compare(
        Work(
            STAGE,
            work_text(sizes) + ", with backward",
            relative_difference,
            "of the largest gradient",
        ),
        Form(BASELINE, lambda: bmn_step(baseline, features, targets)),
        [Form(OURS, lambda: bmn_step(ours, features, targets), cost=cost)],
        runs=1,
        warm_up=quick,
    )


def draw_targets(positions: int) -> Targets:
    """A batch of targets, every window with 20 segments."""
    segments = draw_segments(20, WINDOW_SECONDS)
    one = window_targets(segments, (0.0, WINDOW_SECONDS), positions, positions)
    return Targets(*(table.expand(BATCH, *table.shape) for table in one))


def bmn_step(model: nn.Module, features: Tensor, targets: Targets) -> list[Tensor]:
    """Forward, losses with the same cells picked every time, backward; two layers' gradients."""
    model.zero_grad()
    positions = features.shape[2]
    generator = torch.Generator(features.device).manual_seed(0)
    mask = valid_mask(positions, positions).to(features.device)
    bmn_loss(model(features), targets, mask, generator=generator).total.backward()
    layers = (model.base[0], model.map_head[0])
    return [layer.weight.grad.clone() for layer in layers]
