"""A copy of a trained network for inference: the same function in fewer passes over memory.

In eval mode per batch norm is a fixed scale and shift. After a convolution it folds into the kernel
and a bias; the aggregation of Eq. 7, two batch norms and an average pool, folds into three
temporal taps a channel. Exact up to float rounding.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from feature_extraction.backbones.blocks import Bottleneck, ConvNorm, FrameConv
from feature_extraction.backbones.resnet import VideoNetwork
from feature_extraction.tadaconv.aggregation import FrameNorm, TemporalAggregation
from feature_extraction.tadaconv.generation import CalibrationWeights
from feature_extraction.tadaconv.layout import to_clips

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d
Network = TypeVar("Network", bound=nn.Module)
Conv = TypeVar("Conv", bound=nn.Conv1d | nn.Conv2d | nn.Conv3d)


class TemporalTaps(nn.Module):
    """relu(middle * x_t + side * (the other frames within the kernel) + shift), a channel each."""

    middle: Tensor
    side: Tensor
    shift: Tensor

    def __init__(self, middle: Tensor, side: Tensor, shift: Tensor, kernel: int) -> None:
        super().__init__()
        self.reach = kernel // 2
        self.register_buffer("middle", middle[:, None, None])
        self.register_buffer("side", side[:, None, None])
        self.register_buffer("shift", shift[:, None, None])

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, C, H, W] of clips of `length` = T frames -> the same shape."""
        clips = to_clips(frames, length)
        total = torch.addcmul(self.shift, frames, self.middle)
        taps = to_clips(total, length)
        for shift in range(1, min(self.reach, length - 1) + 1):
            taps[:, shift:].addcmul_(clips[:, :-shift], self.side)
            taps[:, :-shift].addcmul_(clips[:, shift:], self.side)
        return total.relu_()


class Rectify(nn.Module):
    """The ReLU that is left of a FrameNorm once its batch norm is in the convolution."""

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, C, H, W] -> the same shape."""
        return frames.relu_()


def fold_for_inference(model: Network) -> Network:
    """A folded copy of `model`, in eval mode and without gradients; the model itself is untouched.

    It has the same `features`, `classify`, `feature_dim` and `num_classes`, and lays frames out in
    channels_last. Fold in float32, then convert: `fold_for_inference(model).to(torch.bfloat16)`.
    """
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    if isinstance(folded, VideoNetwork):
        folded.memory_format = torch.channels_last
    for module in folded.modules():
        if isinstance(module, ConvNorm) and isinstance(module.norm, BatchNorm):
            module.conv, module.norm = fold_conv(module.conv, module.norm), nn.Identity()
        elif isinstance(module, CalibrationWeights) and isinstance(module.bn, BatchNorm):
            module.a, module.bn = fold_conv(module.a, module.bn), nn.Identity()
        elif isinstance(module, Bottleneck):
            if isinstance(module.aggregate, TemporalAggregation):
                module.aggregate = fold_aggregation(module.aggregate)
            elif isinstance(module.aggregate, FrameNorm) and isinstance(module.conv, FrameConv):
                module.conv = fold_conv(module.conv, module.aggregate.norm)
                module.aggregate = Rectify()
    return folded.to(memory_format=torch.channels_last)


def scale_and_shift(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """A batch norm in eval mode as y = scale * x + shift, both [C]. Raises ValueError without statistics."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a batch norm without running statistics cannot be folded")
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - scale * norm.running_mean


def fold_conv(conv: Conv, norm: BatchNorm) -> Conv:
    """The convolution (a copy, with a bias) that equals `conv` followed by `norm`."""
    scale, shift = scale_and_shift(norm)
    folded = copy.deepcopy(conv)
    bias = shift if conv.bias is None else shift + scale * conv.bias
    weight = conv.weight * scale.reshape(-1, *[1] * (conv.weight.dim() - 1))
    folded.weight = nn.Parameter(weight, requires_grad=False)
    folded.bias = nn.Parameter(bias, requires_grad=False)
    return folded


def fold_aggregation(aggregation: TemporalAggregation) -> TemporalTaps:
    """Eq. 7 in eval mode: BN1 and BN2 as scales, the average as equal taps (zeros at the ends)."""
    scale, shift = scale_and_shift(aggregation.norm)
    pooled_scale, pooled_shift = scale_and_shift(aggregation.pooled_norm)
    side = pooled_scale / aggregation.kernel
    return TemporalTaps(scale + side, side, shift + pooled_shift, aggregation.kernel)
