"""Focal and DIoU losses over all levels (Zhang et al., ECCV 2022, Eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from actionformer.errors import ActionFormerError
from actionformer.network import Level
from actionformer.targets import Targets

ALPHA = 0.25  # of the focal loss: weight of positives; its gamma is 2
MOMENTUM = 0.9  # of the normalizer
EPSILON = 1e-8  # the least length divided by


class Losses(NamedTuple):
    """Scalars: total = classification + regression_weight x regression; the normalizer's new value."""

    classification: Tensor
    regression: Tensor
    total: Tensor
    normalizer: Tensor


def actionformer_loss(
    levels: Sequence[Level],
    targets: Targets,
    normalizer: float | Tensor,
    *,
    regression_weight: float = 1.0,
    smoothing: float = 0.0,
    positives: Tensor | None = None,
) -> Losses:
    """The loss of a batch: `levels` as the network gives them, `targets` with a leading B.

    Both sums are divided by the normalizer, a moving average of the number of positive points,
    which is updated first: hand the returned one to the next call, and keep it in checkpoints.
    regression_weight: of the regression in the total
    positives: that number, if it is not that of this batch alone (several processes)
    smoothing e: classes y become y (1 - e) + e / (K + 1), also where there is no segment.
    In float32 at least. Without segments the regression is 0. Raises ActionFormerError where
    targets and levels do not fit.
    """
    logits = _joined([level.logits for level in levels])
    offsets = _joined([level.offsets for level in levels])
    valid = torch.cat([level.mask for level in levels], dim=1).bool()
    if (shape := targets.classes.shape) != logits.shape:
        raise ActionFormerError(f"targets {tuple(shape)} and logits {tuple(logits.shape)} differ")
    positive = targets.positive & valid
    count = positive.sum() if positives is None else positives
    old = torch.as_tensor(normalizer).to(logits)
    new = MOMENTUM * old + (1 - MOMENTUM) * count.clamp(min=1)
    wanted = targets.classes.to(logits) * (1 - smoothing) + smoothing / (logits.shape[-1] + 1)
    classification = torch.where(valid, focal_loss(logits, wanted).sum(-1), 0.0).sum() / new
    # Distances that do not count must not bring in an infinite gradient.
    distances = torch.where(positive[..., None], targets.offsets.to(offsets), 0.0)
    regression = torch.where(positive, diou_loss(offsets, distances), 0.0).sum() / new
    return Losses(classification, regression, classification + regression_weight * regression, new)


def _joined(parts: list[Tensor]) -> Tensor:
    """Levels [B, T_l, X] -> [B, P, X], in float32 at least."""
    whole = torch.cat(parts, dim=1)
    return whole.to(torch.promote_types(whole.dtype, torch.float32))


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Sigmoid focal loss (Lin et al., ICCV 2017), element by element; target in [0, 1]."""
    probability = logits.sigmoid()
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    missed = probability + target - 2 * probability * target  # 1 - p_t
    return cross_entropy * missed.square() * (1 - ALPHA + (2 * ALPHA - 1) * target)


def diou_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """1 - IoU + (distance of centres / enclosing length)^2 (Zheng et al., AAAI 2020) along time.

    prediction, target [..., 2]: distances left and right of one point, 0 or more. Returns [...].
    """
    shared = torch.minimum(prediction, target).sum(-1)
    union = (prediction + target).sum(-1) - shared
    enclosing = torch.maximum(prediction, target).sum(-1).clamp(min=EPSILON)
    shift = 0.5 * (prediction - target).diff(dim=-1).squeeze(-1)
    return 1 - shared / union.clamp(min=EPSILON) + (shift / enclosing).square()
