"""What follows a block's middle convolution: batch norm, in TAda2D temporal aggregation (Eq. 7)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
    clips = frames.unflatten(0, (-1, length))
    total = clips.clone()
    for shift in range(1, min(kernel // 2, length - 1) + 1):
        total[:, shift:] += clips[:, :-shift]
        total[:, :-shift] += clips[:, shift:]
    return total.div_(kernel).flatten(0, 1)


class TemporalAggregation(nn.Module):
    """relu(BN1(x) + BN2(TempAvgPool_k(x))) (Eq. 7).

    BN2 starts with weight and bias zero, so that the whole starts as `FrameNorm`.
    """

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"pool_kernel must be odd and positive, not {kernel}")
        self.kernel = kernel
        self.norm = nn.BatchNorm2d(channels)
        self.pooled_norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.pooled_norm.weight)

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, C, H, W] of clips of `length` = T frames -> the same shape."""
        pooled = average_over_time(frames, length, self.kernel)
        return torch.relu_(self.norm(frames).add_(self.pooled_norm(pooled)))
