"""BMN forward: projected and sparsely interpolated, against the dense mask and Conv3d."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks import networks
from benchmarks.baselines.bmn import usual_bmn
from benchmarks.costs import bmn_cost
from benchmarks.measure import Form, Row, absolute_difference, compare

STAGE = "BMN forward"
USUAL = "dense mask, Conv3d"
OURS = "projected first, sparse rows"
BATCH = 4


def run(quick: bool) -> list[Row]:
    """A batch of 4 windows, seconds a batch; probabilities are compared."""
    sizes = networks.SMALL if quick else networks.FULL
    ours = networks.draw_bmn(sizes)
    usual = usual_bmn(ours)
    features = torch.randn(BATCH, sizes.channels, sizes.positions)
    return compare(
        STAGE,
        describe(sizes),
        Form(USUAL, lambda: probabilities(usual, features)),
        [
            Form(
                OURS,
                lambda: probabilities(ours, features),
                cost=bmn_cost(ours, BATCH, backward=False),
            )
        ],
        runs=1 if quick else 2,
        difference=absolute_difference,
        unit="of probability",
        warm_up=quick,
    )


def probabilities(model: nn.Module, features: Tensor) -> tuple[Tensor, ...]:
    """All outputs, without gradients."""
    with torch.no_grad():
        return tuple(model(features))


def describe(sizes: networks.Sizes) -> str:
    """The work in words."""
    one, two, three = sizes.hidden
    return (
        f"T = D = {sizes.positions}, {one}/{two}/{three}, N = {sizes.samples}, "
        f"{sizes.channels} channels, batch {BATCH}"
    )
