"""R2D ResNets over video: TSN, and TAda2D, which is TSN with TAdaConv and temporal aggregation.

Paper, Section 4, Appendix B and Table A1. Everything runs frame by frame on [B*T, C, H, W] tensors;
a block is given the convolution in its middle and what follows it, and these alone see time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from feature_extraction.backbones.aggregation import FrameNorm, TemporalAggregation
from feature_extraction.backbones.tadaconv import TAdaConv2d, to_frames

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
EXPANSION = 4

MakeConv = Callable[[int, int, int], nn.Module]  # (in channels, out channels, stride)
MakeNorm = Callable[[int], nn.Module]  # (channels)


class ConvNorm(nn.Module):
    """A convolution without bias and its batch norm, frame by frame."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False
        )
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, frames: Tensor) -> Tensor:
        """[N, Ci, H, W] -> [N, Co, H', W']."""
        return self.norm(self.conv(frames))


class FrameConv(nn.Conv2d):
    """The plain 3x3 convolution a TSN block is given: the same kernel for every frame."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, 3, stride, padding=1, bias=False)

    def forward_frames(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] -> [B*T, Co, H', W']; the clips' length does not matter."""
        return self(frames)


def adaptive_conv(
    in_channels: int,
    out_channels: int,
    stride: int,
    *,
    reduction: int = 4,
    kernels: tuple[int, int] = (3, 3),
) -> TAdaConv2d:
    """The 3x3 TAdaConv (calibrated on its input channels) a TAda2D block is given."""
    return TAdaConv2d(
        in_channels, out_channels, 3, stride=stride, padding=1, reduction=reduction, kernels=kernels
    )


class Bottleneck(nn.Module):
    """1x1 reduce, the given spatial convolution (it carries the stride), 1x1 expand, shortcut."""

    def __init__(
        self, in_channels: int, inner: int, stride: int, make_conv: MakeConv, make_norm: MakeNorm
    ) -> None:
        super().__init__()
        out_channels = inner * EXPANSION
        self.reduce = ConvNorm(in_channels, inner, 1)
        self.conv = make_conv(inner, inner, stride)
        self.aggregate = make_norm(inner)
        self.expand = ConvNorm(inner, out_channels, 1)
        same = stride == 1 and in_channels == out_channels
        self.shortcut = None if same else ConvNorm(in_channels, out_channels, 1, stride)

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] of clips of `length` = T frames -> [B*T, Co, H', W']."""
        branch = torch.relu_(self.reduce(frames))
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


class VideoResNet(nn.Module):
    """A bottleneck ResNet over the frames of clips, averaged over space and time.

    Called on a video [B, 3, T, H, W] (any T, H, W) it gives logits [B, num_classes], or a
    (verb, noun) pair of them. `blocks` counts the blocks of the four stages, `width` is the
    stem's channels. No max pool after the stem; every stage halves the frame (Appendix B).
    """

    def __init__(
        self,
        blocks: tuple[int, ...],
        width: int,
        num_classes: int | tuple[int, int],
        dropout: float,
        make_conv: MakeConv,
        make_norm: MakeNorm,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes if isinstance(num_classes, int) else tuple(num_classes)
        self.memory_format = torch.preserve_format  # frames are computed in the video's own layout
        self.stem = ConvNorm(3, width, 7, stride=2)
        self.stages = nn.ModuleList()
        channels = width
        for index, count in enumerate(blocks):
            inner = width * 2**index
            stage = nn.ModuleList()
            for block in range(count):
                stride = 2 if block == 0 else 1
                stage.append(Bottleneck(channels, inner, stride, make_conv, make_norm))
                channels = inner * EXPANSION
            self.stages.append(stage)
        self.feature_dim = channels
        self.head = Head(channels, num_classes, dropout)
        initialise(self)

    def features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> features [B, C], the mean over space and time."""
        length = video.shape[2]
        frames = to_frames(video).to(memory_format=self.memory_format)
        frames = torch.relu_(self.stem(frames))
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


def initialise(model: VideoResNet) -> None:
    """He initialisation of every convolution (fan out), N(0, 0.01) for the classifiers.

    The last convolution of the calibration weights goes back to zero, so that they start at one.
    """
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d)):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, TAdaConv2d):
            nn.init.zeros_(module.route.b.weight)


def blocks_of(depth: int | tuple[int, ...]) -> tuple[int, ...]:
    """The blocks of each stage: (3, 4, 6, 3) for depth 50, or the tuple that was given."""
    if isinstance(depth, int):
        if depth not in DEPTHS:
            known = ", ".join(map(str, DEPTHS))
            raise ValueError(f"depth must be {known} or a tuple of blocks a stage, not {depth}")
        return DEPTHS[depth]
    return tuple(depth)


def tsn(
    *,
    depth: int | tuple[int, ...] = 50,
    width: int = 64,
    num_classes: int | tuple[int, int],
    dropout: float = 0.5,
    reduction: int = 4,
    kernels: tuple[int, int] = (3, 3),
    pool_kernel: int = 3,
) -> VideoResNet:
    """TSN, the frame-wise baseline; reduction, kernels and pool_kernel have no effect on it."""
    return VideoResNet(blocks_of(depth), width, num_classes, dropout, FrameConv, FrameNorm)


def tada2d(
    *,
    depth: int | tuple[int, ...] = 50,
    width: int = 64,
    num_classes: int | tuple[int, int],
    dropout: float = 0.5,
    reduction: int = 4,
    kernels: tuple[int, int] = (3, 3),
    pool_kernel: int = 3,
) -> VideoResNet:
    """TAda2D (Section 4): TAdaConv in every block's middle, then temporal aggregation."""
    make_conv = partial(adaptive_conv, reduction=reduction, kernels=kernels)
    make_norm = partial(TemporalAggregation, kernel=pool_kernel)
    return VideoResNet(blocks_of(depth), width, num_classes, dropout, make_conv, make_norm)
