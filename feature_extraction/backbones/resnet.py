"""ResNets over the frames of video, from the parts a network of the paper is made of.

Paper, Section 4, Appendix B and Table A1. Everything runs on frames [B*T, C, H, W], clip after clip;
a block is given the convolution in its middle and what follows it, and these and kernels over time
alone see more than one frame. `networks.py` puts the networks together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.backbones.clip_conv import ClipConv, lay_out
from feature_extraction.tadaconv.generation import CalibrationWeights, LinearCalibration
from feature_extraction.tadaconv.tadaconv import to_frames

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
EXPANSION = 4

MakeConv = Callable[[int, int, int], nn.Module]  # (in channels, out channels, stride)
MakeNorm = Callable[[int], nn.Module]  # (channels)


class ConvNorm(nn.Module):
    """A convolution without bias and its batch norm, frame by frame or over `taps` frames."""

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
            self.conv = nn.Conv2d(
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
            return self.norm(self.conv.forward_frames(frames, length))
        return self.norm(self.conv(frames))


class FrameConv(nn.Conv2d):
    """The plain 3x3 convolution a TSN block is given: the same kernel for every frame."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, 3, stride, padding=1, bias=False)

    def forward_frames(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] -> [B*T, Co, H', W']; the clips' length does not matter."""
        return self(frames)


class Bottleneck(nn.Module):
    """1x1 reduce, the given convolution (it carries the stride), 1x1 expand, shortcut.

    The reduction reaches over `taps` frames where that is more than one (SlowFast).
    """

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


class Head(nn.Module):
    """Dropout and one linear classifier, or two (verb, noun) on the same feature."""

    def __init__(self, channels: int, num_classes: int | tuple[int, int], dropout: float) -> None:
        super().__init__()
        self.pair = not isinstance(num_classes, int)
        counts = tuple(num_classes) if self.pair else (num_classes,)
        if len(counts) != 1 + self.pair or any(count < 1 for count in counts):
            raise ValueError(f"num_classes must be one count or a (verb, noun) pair: {num_classes}")
        self.dropout = nn.Dropout(dropout)
        self.classifiers = nn.ModuleList(nn.Linear(channels, count) for count in counts)

    def forward(self, features: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """[B, C] -> logits [B, classes], or the pair ([B, verbs], [B, nouns])."""
        features = self.dropout(features)
        logits = tuple(classifier(features) for classifier in self.classifiers)
        return logits if self.pair else logits[0]


def bottleneck_stages(
    channels: int,
    width: int,
    blocks: Sequence[int],
    make_convs: Sequence[MakeConv],
    make_norm: MakeNorm,
    *,
    first_stride: int = 2,
    taps: Sequence[int] | None = None,
    joined: Sequence[int] | None = None,
) -> nn.ModuleList:
    """The stages res2, res3, ... on features of `channels` channels.

    blocks, make_convs: of each stage, its number of blocks and what makes their convolution;
    first_stride: of res2, the others halve the frame; taps: over how many frames each stage's
    reductions reach (1 everywhere); joined: channels put beside each stage's input (none).
    """
    stages = nn.ModuleList()
    for index, count in enumerate(blocks):
        inner = width * 2**index
        channels += joined[index] if joined else 0
        stage = nn.ModuleList()
        for block in range(count):
            stride = (2 if index else first_stride) if block == 0 else 1
            reach = taps[index] if taps else 1
            stage.append(
                Bottleneck(channels, inner, stride, make_convs[index], make_norm, taps=reach)
            )
            channels = inner * EXPANSION
        stages.append(stage)
    return stages


class VideoResNet(nn.Module):
    """A bottleneck ResNet over the frames of clips, averaged over space and time.

    Called on a video [B, 3, T, H, W] (any T, H, W) it gives logits [B, num_classes], or a
    (verb, noun) pair of them. It takes its stem, its stages (`bottleneck_stages`), the channels of
    the last of them, and whether a 3x3 max pool halves the frame after the stem.
    """

    def __init__(
        self,
        stem: ConvNorm,
        stages: nn.ModuleList,
        channels: int,
        num_classes: int | tuple[int, int],
        dropout: float,
        *,
        max_pool: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes if isinstance(num_classes, int) else tuple(num_classes)
        self.memory_format = torch.preserve_format  # frames are computed in the video's own layout
        self.stem, self.max_pool, self.stages = stem, max_pool, stages
        self.feature_dim = channels
        self.head = Head(channels, num_classes, dropout)
        initialise(self)

    def features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> features [B, C], the mean over space and time."""
        length = video.shape[2]
        frames = to_frames(video).to(memory_format=self.memory_format)
        frames = torch.relu_(self.stem(frames, length))
        if self.max_pool:
            frames = F.max_pool2d(frames, 3, 2, 1)
        for stage in self.stages:
            for block in stage:
                frames = block(frames, length)
        return frames.mean((2, 3)).unflatten(0, (-1, length)).mean(1)

    def classify(self, features: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Features [B, C] -> logits, or a (verb, noun) pair; dropout only while training."""
        return self.head(features)

    def forward(self, video: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Video [B, 3, T, H, W] -> logits [B, num_classes], or a (verb, noun) pair."""
        return self.classify(self.features(video))

    def to(self, *arguments: Any, **options: Any) -> VideoResNet:
        """Move as any module; a memory format is taken by the kernels that can have it."""
        return lay_out(super().to, self, *arguments, **options)


def initialise(model: nn.Module) -> None:
    """He initialisation of every convolution (fan out), N(0, 0.01) for the classifiers.

    The last convolution of the calibration weights goes back to zero, so that they start at one.
    """
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, (CalibrationWeights, LinearCalibration)):
            nn.init.zeros_(module.b.weight)


def blocks_of(depth: int | tuple[int, ...]) -> tuple[int, ...]:
    """The blocks of each stage: (3, 4, 6, 3) for depth 50, or the tuple that was given."""
    if isinstance(depth, int):
        if depth not in DEPTHS:
            known = ", ".join(map(str, DEPTHS))
            raise ValueError(f"depth must be {known} or a tuple of blocks a stage, not {depth}")
        return DEPTHS[depth]
    return tuple(depth)
