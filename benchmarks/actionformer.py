"""ActionFormer forward and a training step, against the formulas written out with sliding chunks."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import actionformer
from actionformer import ActionFormer, Targets
from actionformer.points import points
from benchmarks.baselines.actionformer import BaselineActionFormer
from benchmarks.costs import actionformer_cost
from benchmarks.drawn import draw_segments
from benchmarks.measure import Form, Row, Work, compare, relative_difference

BASELINE = "sliding chunks, layer by layer"
OURS = "blocks of windows, joined levels"
CHECKPOINTS = "the same, activation checkpointing"


@dataclass(frozen=True)
class Case:
    """A network's sizes and a batch: `shown` positions of each video, padded to `length`."""

    channels: int
    width: int
    window: int | tuple[int, ...]
    length: int
    shown: int
    batch: int
    classes: int


THUMOS = Case(2048, 512, 19, 2304, 2304, 1, 20)
PADDED = Case(2048, 512, 19, 2304, 1152, 1, 20)  # a video of half that length
THUMOS_BATCH = Case(2048, 512, 19, 2304, 2304, 2, 20)
ACTIVITYNET = Case(512, 256, (7, 7, 7, 7, 7, -1), 192, 192, 16, 1)
SMALL = Case(8, 16, (3, 3, 3, 3, 3, -1), 64, 40, 2, 3)


def run(quick: bool) -> list[Row]:
    """Seconds per batch without gradients; logits and offsets of all levels are compared."""
    cases = (SMALL,) if quick else (THUMOS, PADDED, ACTIVITYNET)
    return [row for case in cases for row in forward_rows(case, 1 if quick else 3)]


def run_training(quick: bool) -> list[Row]:
    """Seconds per step; the gradients of an embedding and a head layer are compared."""
    cases = (SMALL,) if quick else (THUMOS_BATCH, ACTIVITYNET)
    return [row for case in cases for row in training_rows(case)]


def forward_rows(case: Case, runs: int) -> list[Row]:
    """One row: both forms of a batch forward."""
    ours, baseline, batch, mask = draw(case)
    cost = actionformer_cost(ours, batch, mask)
    return compare(
        Work("ActionFormer forward", work_text(case), relative_difference, "of the largest"),
        Form(BASELINE, lambda: outputs(baseline, batch, mask)),
        [Form(OURS, lambda: outputs(ours, batch, mask), cost=cost)],
        runs=runs,
    )


def training_rows(case: Case) -> list[Row]:
    """Two rows: a step of both forms, and of ours with activation checkpointing."""
    ours, baseline, batch, mask = draw(case)
    ours.train(), baseline.train()
    again = copy.deepcopy(ours)
    again.backbone.checkpoints = True
    targets, text = draw_targets(ours, case), work_text(case) + ", with backward"
    return compare(
        Work("ActionFormer training step", text, relative_difference, "of the largest gradient"),
        Form(BASELINE, lambda: step(baseline, batch, mask, targets)),
        [
            Form(OURS, lambda: step(ours, batch, mask, targets)),
            Form(CHECKPOINTS, lambda: step(again, batch, mask, targets)),
        ],
        runs=1,
        warm_up=case == SMALL,
    )


def draw(case: Case) -> tuple[ActionFormer, BaselineActionFormer, Tensor, Tensor]:
    """Ours and the baseline with the same weights, features of a batch and their mask."""
    torch.manual_seed(0)
    ours = ActionFormer(
        case.channels, case.classes, width=case.width, window=case.window, max_length=case.length
    ).eval()
    for name, parameter in ours.named_parameters():
        if "drop_path" in name:  # starts at almost nothing: as after a training
            nn.init.uniform_(parameter, 0.1, 1.0)
    nn.init.ones_(ours.reg_head.offset_head.conv.bias)  # or rounding decides at which side of 0
    for module in ours.modules():
        if hasattr(module, "rate"):
            module.rate = 0.0  # both forms draw another
    videos = [torch.randn(case.channels, case.shown) for _ in range(case.batch)]
    return ours, BaselineActionFormer(ours), *actionformer.pad_batch(ours, videos)


def work_text(case: Case) -> str:
    """The work in words."""
    window = case.window if isinstance(case.window, int) else f"{case.window[0]} and full"
    shown = "" if case.shown == case.length else f", {case.shown} of them the video"
    return (
        f"T = {case.length}{shown}, {case.channels} channels, width {case.width}, "
        f"window {window}, batch {case.batch}"
    )


def draw_targets(model: ActionFormer, case: Case) -> Targets:
    """A batch of targets, every video with 20 segments."""
    segments = 8.0 * draw_segments(20, case.shown / 8)  # in positions: seconds on THUMOS14
    labels = torch.arange(20) % case.classes
    grid = points(model.strides, model.ranges, case.length)
    one = actionformer.assign(grid, segments, labels, case.classes)
    return Targets(*(table.expand(case.batch, *table.shape) for table in one))


def outputs(model: nn.Module, batch: Tensor, mask: Tensor) -> list[Tensor]:
    """Logits and offsets of all levels, without gradients."""
    with torch.no_grad():
        return [part for level in model(batch, mask) for part in level[:2]]


def step(model: nn.Module, batch: Tensor, mask: Tensor, targets: Targets) -> list[Tensor]:
    """Forward, loss, backward; two layers' gradients."""
    model.zero_grad()
    actionformer.actionformer_loss(model(batch, mask), targets, 100.0).total.backward()
    return [
        parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if name.endswith(("backbone.embd.0.conv.weight", "cls_head.head.1.conv.weight"))
    ]
