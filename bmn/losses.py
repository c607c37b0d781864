"""The losses of the boundary-matching network (Lin et al., ICCV 2019, training of BMN; the moves)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bmn.errors import BMNError
from bmn.model import BMNOutput, MovedOutput
from bmn.targets import Targets

EPSILON = 1e-6  # inside logarithms
BOUNDARY_THRESHOLD = 0.5
HIGH_IOU, LOW_IOU = 0.7, 0.3  # regression: high above the first, low up to the second
POSITIVE_IOU = 0.9  # classification
MOVED_IOU = 0.5  # moves are trained on the cells above it
MOVE_BETA = 0.1  # and their loss is 10 times half the squared error, as pem_reg's, up to this error


class BMNLoss(NamedTuple):
    """Scalars: total = weights . (tem, pem_reg, pem_cls)."""

    total: Tensor
    tem: Tensor
    pem_reg: Tensor
    pem_cls: Tensor


class MovedLoss(NamedTuple):
    """A BMNLoss and the loss of the moves, which total adds with `move_weight`."""

    total: Tensor
    tem: Tensor
    pem_reg: Tensor
    pem_cls: Tensor
    moves: Tensor


def bmn_loss(
    output: BMNOutput | MovedOutput,
    targets: Targets,
    mask: Tensor,
    *,
    weights: tuple[float, float, float] = (1.0, 10.0, 1.0),
    uniforms: tuple[Tensor, Tensor] | None = None,
    generator: torch.Generator | None = None,
    moves: Tensor | None = None,
    move_weight: float = 1.0,
) -> BMNLoss | MovedLoss:
    """Weighted sum of the boundary, tIoU regression and tIoU classification losses of a batch.

    output: start, end [B, T] and confidence_map [B, 2, D, T]; targets: start, end [B, T] and iou [B, D, T]
    mask [D, T]: 1 for valid cells (`targets.valid_mask`)
    weights: of the boundary loss, the regression and the classification; move_weight: of the moves
    uniforms: two fields [B, D, T] in [0, 1) that pick the regression's middle and low cells; drawn
    from `generator` otherwise.
    moves [B, 2, D, T]: targets (`moves.window_moves`) of an output that has moves; their loss is a
    term more then. Raises BMNError where only one of the two has them.

    Computed in float32 whatever the precision of `output`. A batch without positives is finite:
    the balanced terms keep their negatives, and the regression is 0 when it picks no cell.
    """
    if (moves is None) != (output.moves is None):
        raise BMNError("moves need both the network's output and the targets")
    iou = targets.iou * mask
    regression, classification = output.confidence_map.float().unbind(1)
    tem = balanced_cross_entropy(output.start.float(), targets.start > BOUNDARY_THRESHOLD)
    tem = tem + balanced_cross_entropy(output.end.float(), targets.end > BOUNDARY_THRESHOLD)
    if uniforms is None:
        uniforms = _drawn_fields(iou, generator)
    picked = regression_cells(iou, *uniforms)
    pem_reg = _half_squared_error(regression, iou, picked)
    pem_cls = balanced_cross_entropy(classification, iou > POSITIVE_IOU, mask.expand_as(iou))
    total = weights[0] * tem + weights[1] * pem_reg + weights[2] * pem_cls
    if moves is None or output.moves is None:
        return BMNLoss(total, tem, pem_reg, pem_cls)
    moved = move_loss(output.moves.float(), moves, iou)
    return MovedLoss(total + move_weight * moved, tem, pem_reg, pem_cls, moved)


def _drawn_fields(iou: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    fields = torch.rand((2, *iou.shape), generator=generator, device=iou.device)
    return fields[0], fields[1]


def balanced_cross_entropy(
    probability: Tensor, positive: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Mean binary cross-entropy in which positives and negatives weigh half each in total.

    probability, positive (bool) and mask have one shape; cells where mask is 0 do not count.
    A side without members contributes nothing.
    """
    counted = torch.ones_like(probability) if mask is None else mask.to(probability.dtype)
    positives = positive * counted
    negatives = counted - positives
    likelihood = positives * (probability + EPSILON).log() / positives.sum().clamp(min=1)
    opposite = negatives * (1.0 - probability + EPSILON).log() / negatives.sum().clamp(min=1)
    return -0.5 * (likelihood + opposite).sum()


def regression_cells(iou: Tensor, middle_field: Tensor, low_field: Tensor) -> Tensor:
    """Bool [B, D, T]: all cells of high tIoU and, on average, as many of middle and of low tIoU.

    High is above 0.7, middle above 0.3, low above 0. A middle (low) cell is taken where its field
    exceeds 1 - high / middle (low), counts being those of the batch.
    """
    high = iou > HIGH_IOU
    middle = (iou > LOW_IOU) & ~high
    low = (iou > 0) & (iou <= LOW_IOU)
    taken = high
    for cells, field in ((middle, middle_field), (low, low_field)):
        share = high.sum().to(field.dtype) / cells.sum().clamp(min=1)
        taken = taken | (cells & (field > 1.0 - share))
    return taken


def move_loss(prediction: Tensor, target: Tensor, iou: Tensor) -> Tensor:
    """Mean smooth L1 error of the moves [B, 2, D, T] of the cells with iou [B, D, T] above 0.5.

    0 where there is no such cell. Raises BMNError if the shapes do not fit together.
    """
    if not prediction.shape == target.shape == (len(iou), 2, *iou.shape[1:]):
        raise BMNError(
            f"moves {tuple(prediction.shape)}, their targets {tuple(target.shape)} and iou "
            f"{tuple(iou.shape)} do not fit together"
        )
    cells = (iou > MOVED_IOU).unsqueeze(1)
    error = functional.smooth_l1_loss(prediction, target, reduction="none", beta=MOVE_BETA)
    # Not times 0: an error that is infinite where it does not count would leave no number.
    return torch.where(cells, error, 0.0).sum() / (2 * cells.sum()).clamp(min=1)


def _half_squared_error(prediction: Tensor, target: Tensor, cells: Tensor) -> Tensor:
    """Half the mean squared error over `cells`; 0 when there are none."""
    error = (prediction - target).square() * cells
    return 0.5 * error.sum() / cells.sum().clamp(min=1)
