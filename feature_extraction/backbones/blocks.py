"""What the networks are made of: convolutions over frames, bottleneck blocks, stages.

Everything runs on frames [B*T, C, H, W], clip after clip. A block is given the convolution in its
middle and what follows it; these and kernels over time alone see more than one frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from feature_extraction.tadaconv.aggregation import FrameNorm
from feature_extraction.tadaconv.convolution import conv2d
from feature_extraction.tadaconv.layout import neighbours

EXPANSION = 4


class FramesConv(Protocol):
    """The convolution in a block's middle; a module."""

    def forward_frames(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] of clips of `length` = T frames -> [B*T', Co, H', W']."""


MakeConv = Callable[[int, int, int], FramesConv]  # (in channels, out channels, stride)
MakeNorm = Callable[[int], nn.Module]  # (channels)


class SafeConv2d(nn.Conv2d):
    """torch's convolution, but where that writes beyond its memory (see `conv2d`)."""

    def forward(self, frames: Tensor) -> Tensor:
        """[N, Ci, H, W] -> [N, Co, H', W']."""
        assert not isinstance(self.padding, str)
        return conv2d(frames, self.weight, self.bias, self.stride, self.padding)


class FrameConv(nn.Conv2d):
    """The plain 3x3 convolution a TSN block is given: the same kernel for every frame."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, 3, stride, padding=1, bias=False)

    def forward_frames(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] -> [B*T, Co, H', W']; the clips' length does not matter."""
        output: Tensor = self(frames)
        return output


class ClipConv(nn.Conv3d):
    """A convolution without bias over `taps` frames and a square of side `kernel`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        *,
        kernel: int = 3,
        taps: int = 3,
        time_stride: int = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            (taps, kernel, kernel),
            (time_stride, stride, stride),
            padding=(taps // 2, kernel // 2, kernel // 2),
            bias=False,
        )
        self.margin = kernel // 2

    def forward_frames(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] of clips of `length` = T frames -> [B*T', Co, H', W'].

        The frames around each are laid beside it as channels of one 2-D convolution: as fast as the
        3-D one, whose bfloat16 gradients oneDNN gets wrong on clips of two frames.
        """
        around = neighbours(frames, length, self.kernel_size[0], self.stride[0])
        return conv2d(around, self.weight.flatten(1, 2), self.bias, self.stride[1:], self.margin)


class FactorisedConv(nn.Module):
    """R(2+1)D's middle: a spatial convolution, batch norm and ReLU, and a temporal convolution."""

    def __init__(self, spatial: FramesConv, channels: int, temporal: FramesConv) -> None:
        super().__init__()
        self.spatial, self.between, self.temporal = spatial, FrameNorm(channels), temporal

    def forward_frames(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] of clips of `length` = T frames -> [B*T, Co, H', W']."""
        frames = self.between(self.spatial.forward_frames(frames, length), length)
        return self.temporal.forward_frames(frames, length)


class ConvNorm(nn.Module):
    """A convolution without bias and its batch norm, frame by frame or over `taps` frames."""

    conv: nn.Conv2d | ClipConv
    norm: nn.Module  # for inference there is none

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        *,
        taps: int = 1,
        time_stride: int = 1,
    ) -> None:
        super().__init__()
        if taps == 1:
            self.conv = SafeConv2d(
                in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False
            )
        else:
            self.conv = ClipConv(
                in_channels, out_channels, stride, kernel=kernel, taps=taps, time_stride=time_stride
            )
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, frames: Tensor, length: int = 1) -> Tensor:
        """[B*T, Ci, H, W] of clips of `length` = T frames -> [B*T', Co, H', W']."""
        if isinstance(self.conv, ClipConv):
            output: Tensor = self.norm(self.conv.forward_frames(frames, length))
        else:
            output = self.norm(self.conv(frames))
        return output


class Bottleneck(nn.Module):
    """1x1 reduce, the given convolution (it carries the stride), 1x1 expand, shortcut.

    The reduction reaches over `taps` frames where that is more than one (SlowFast).
    """

    conv: FramesConv

    def __init__(
        self,
        in_channels: int,
        inner: int,
        stride: int,
        make_conv: MakeConv,
        make_norm: MakeNorm,
        *,
        taps: int = 1,
    ) -> None:
        super().__init__()
        out_channels = inner * EXPANSION
        self.reduce = ConvNorm(in_channels, inner, 1, taps=taps)
        self.conv = make_conv(inner, inner, stride)
        self.aggregate = make_norm(inner)
        self.expand = ConvNorm(inner, out_channels, 1)
        same = stride == 1 and in_channels == out_channels
        self.shortcut = None if same else ConvNorm(in_channels, out_channels, 1, stride)

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] of clips of `length` = T frames -> [B*T, Co, H', W']."""
        branch = torch.relu_(self.reduce(frames, length))
        branch = self.aggregate(self.conv.forward_frames(branch, length), length)
        kept = frames if self.shortcut is None else self.shortcut(frames)
        return torch.relu_(self.expand(branch).add_(kept))


class ResStage(nn.ModuleList):
    """Blocks one after the other."""

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] of clips of `length` = T frames -> [B*T, Co, H', W']."""
        for block in self:
            frames = block(frames, length)
        return frames


def bottleneck_stages(
    width: int,
    blocks: Sequence[int],
    make_convs: Sequence[MakeConv],
    make_norm: MakeNorm,
    *,
    first_stride: int = 2,
    taps: Sequence[int] | None = None,
    joined: Sequence[int] | None = None,
) -> nn.ModuleList:
    """The stages res2, res3, ... on features of `width` channels, which are those within res2's blocks.

    blocks, make_convs: of each stage, its number of blocks and what makes their convolution;
    first_stride: of res2, the others halve the frame; taps: over how many frames each stage's
    reductions reach (1 everywhere); joined: channels put beside each stage's input (none).
    """
    stages, channels = nn.ModuleList(), width
    for index, count in enumerate(blocks):
        inner = width * 2**index
        channels += joined[index] if joined else 0
        stage = ResStage()
        for block in range(count):
            stride = (2 if index else first_stride) if block == 0 else 1
            reach = taps[index] if taps else 1
            stage.append(
                Bottleneck(channels, inner, stride, make_convs[index], make_norm, taps=reach)
            )
            channels = inner * EXPANSION
        stages.append(stage)
    return stages


def last_channels(width: int, blocks: Sequence[int]) -> int:
    """Channels after the last stage."""
    return (width * EXPANSION) << (len(blocks) - 1)  # they double from stage to stage
