"""TAda2D-50 forward and backward: the baseline, ours in float32 and with bfloat16 autocast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks import networks
from benchmarks.baselines.tada2d import baseline_tada2d
from benchmarks.costs import training_cost
from benchmarks.measure import Form, Row, Work, compare, skipped

STAGE = "backbone training step"
BASELINE = "grouped convolution, 5-D float32"
EXACT, ROUGH = "scaled inputs, float32", "scaled inputs, bfloat16 autocast"
BATCH = 2


def run(quick: bool) -> list[Row]:
    """A batch of 2, seconds per step; the gradients are compared."""
    sizes = networks.SMALL if quick else networks.FULL
    video = networks.draw_clips(BATCH, sizes.side)
    target = torch.arange(BATCH)
    ours = networks.training_network(networks.draw_tada2d(sizes))
    ours.head.dropout.p = 0.0  # nothing random in what is compared
    baseline = baseline_tada2d(ours)
    text = f"forward and backward, 8 x {sizes.side} x {sizes.side}, batch {BATCH}"
    work = Work(STAGE, text, gradient_difference, "of the gradient's length")
    shape = tuple(video.shape)
    forms = [
        Form(EXACT, lambda: backbone_step(ours, video, target), cost=training_cost(ours, shape))
    ]
    left_out = []
    why = networks.why_no_bfloat16()
    if why:
        left_out.append(skipped(work, BASELINE, ROUGH, why))
    else:
        cost = training_cost(ours, shape, "bfloat16")
        forms.append(Form(ROUGH, lambda: backbone_step(ours, video, target, rough=True), cost=cost))
    first = Form(BASELINE, lambda: backbone_step(baseline, video, target))
    rows = compare(work, first, forms, runs=1 if quick else 2, warm_up=quick)
    return rows + left_out


def backbone_step(model: nn.Module, video: Tensor, target: Tensor, rough: bool = False) -> Tensor:
    """Forward, cross-entropy, backward; the whole gradient [n] in the order of the parameters."""
    model.zero_grad()
    with torch.autocast(video.device.type, torch.bfloat16, enabled=rough):
        logits = model(video)
    F.cross_entropy(logits.float(), target).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def gradient_difference(expected: Tensor, found: Tensor) -> float:
    """Length of the difference of two gradients [n] over the length of the first.

    Single elements say little: through the batch norms of a batch this small, rounding moves some
    by half a percent in float32, in the baseline as much as in ours.
    """
    return float((found - expected).norm() / expected.norm())
