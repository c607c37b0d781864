"""BMN forward: projected and sparsely interpolated, against the dense mask and Conv3d."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks import networks
from benchmarks.baselines.bmn import baseline_bmn
from benchmarks.costs import bmn_cost
from benchmarks.measure import Form, Row, Work, absolute_difference, compare

STAGE = "BMN forward"
BASELINE = "dense mask, Conv3d"
OURS = "projected first, sparse rows"
BATCH = 4


def run(quick: bool) -> list[Row]:
    """A batch of 4 windows, seconds per batch; probabilities are compared."""
    sizes = networks.SMALL if quick else networks.FULL
    ours = networks.draw_bmn(sizes)
    baseline = baseline_bmn(ours)
    features = torch.randn(BATCH, sizes.channels, sizes.positions)
    cost = bmn_cost(ours, BATCH, backward=False)
    return compare(
        Work(STAGE, work_text(sizes), absolute_difference, "of probability"),
        Form(BASELINE, lambda: probabilities(baseline, features)),
        [Form(OURS, lambda: probabilities(ours, features), cost=cost)],
        runs=1 if quick else 2,
        warm_up=quick,
    )


def probabilities(model: nn.Module, features: Tensor) -> tuple[Tensor, ...]:
    """All outputs, without gradients."""
    with torch.no_grad():
        return tuple(model(features))


def work_text(sizes: networks.Sizes) -> str:
    """The work in words."""
    one, two, three = sizes.hidden
    return (
        f"T = D = {sizes.positions}, {one}/{two}/{three}, N = {sizes.samples}, "
        f"{sizes.channels} channels, batch {BATCH}"
    )
