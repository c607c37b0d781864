"""What follows a block's middle convolution: batch norm, and temporal aggregation (Eq. 7, Table 3b)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.tadaconv.layout import to_clips

AGGREGATIONS = ("none", "average", "maximum", "mixed")


class FrameNorm(nn.Module):
    """Batch norm and ReLU, frame by frame: what follows the middle convolution in TSN."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, C, H, W] -> the same shape."""
        return torch.relu_(self.norm(frames))


def average_over_time(frames: Tensor, length: int, kernel: int) -> Tensor:
    """Mean over `kernel` (odd) neighbouring frames, stride 1; zeros beyond the ends count.

    frames [B*T, C, H, W] of clips of `length` = T frames -> the same shape.
    """
    clips = to_clips(frames, length)
    total = clips.clone()
    for shift in range(1, min(kernel // 2, length - 1) + 1):
        total[:, shift:] += clips[:, :-shift]
        total[:, :-shift] += clips[:, shift:]
    return total.div_(kernel).flatten(0, 1)


def maximum_over_time(frames: Tensor, length: int, kernel: int) -> Tensor:
    """Largest of `kernel` (odd) neighbouring frames, stride 1; beyond the ends there are none.

    frames [B*T, C, H, W] of clips of `length` = T frames -> the same shape.
    """
    clips = to_clips(frames, length)
    pooled = F.max_pool1d(clips.flatten(2).transpose(1, 2), kernel, 1, kernel // 2)
    return pooled.transpose(1, 2).reshape(frames.shape)


def mixed_over_time(frames: Tensor, length: int, kernel: int) -> Tensor:
    """Average plus maximum over `kernel` neighbouring frames (Section 5.2: avg + max)."""
    average = average_over_time(frames, length, kernel)
    return average + maximum_over_time(frames, length, kernel)


POOLS = {
    "average": average_over_time,
    "maximum": maximum_over_time,
    "mixed": mixed_over_time,
}


class PooledFeatures(nn.Module):
    """relu(BN1(x) + BN2(pool(x))), relu(BN(x + pool(x))) or relu(BN(pool(x))) (Table 3b).

    The first, with a shortcut and separate norms, starts as `FrameNorm` does: BN2 starts at zero.
    """

    def __init__(
        self,
        channels: int,
        *,
        kind: str,
        kernel: int = 3,
        shortcut: bool = True,
        separate_norms: bool = True,
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"pool_kernel must be odd and positive, not {kernel}")
        self.pool, self.kernel, self.shortcut = POOLS[kind], kernel, shortcut
        self.norm = nn.BatchNorm2d(channels)
        self.pooled_norm: nn.BatchNorm2d | None = None
        if shortcut and separate_norms:
            self.pooled_norm = nn.BatchNorm2d(channels)
            nn.init.zeros_(self.pooled_norm.weight)

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, C, H, W] of clips of `length` = T frames -> the same shape."""
        pooled = self.pool(frames, length, self.kernel)
        if self.pooled_norm is not None:
            return torch.relu_(self.norm(frames).add_(self.pooled_norm(pooled)))
        return torch.relu_(self.norm(frames + pooled if self.shortcut else pooled))


class TemporalAggregation(PooledFeatures):
    """relu(BN1(x) + BN2(TempAvgPool_k(x))) (Eq. 7), which inference folds."""

    pooled_norm: nn.BatchNorm2d

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__(channels, kind="average", kernel=kernel)


def aggregation_of(
    kind: str, *, kernel: int = 3, shortcut: bool = True, separate_norms: bool = True
) -> Callable[[int], nn.Module]:
    """What makes the module after a block's middle convolution, from its channels.

    kind: "none" (batch norm alone), "average", "maximum" or "mixed"; kernel: frames pooled;
    shortcut, separate_norms: the branches of Table 3b. Raises ValueError on an unknown kind, and on
    branches of an aggregation that is not there.
    """
    if kind not in AGGREGATIONS:
        raise ValueError(f"aggregation must be one of {', '.join(AGGREGATIONS)}, not {kind!r}")
    if kind == "none":
        if not (shortcut and separate_norms):
            raise ValueError("without an aggregation, shortcut and separate_norms have no effect")
        return FrameNorm
    if kind == "average" and shortcut and separate_norms:
        return partial(TemporalAggregation, kernel=kernel)
    return partial(
        PooledFeatures,
        kind=kind,
        kernel=kernel,
        shortcut=shortcut,
        separate_norms=separate_norms,
    )
