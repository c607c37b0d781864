"""The paper's networks (Appendix B, Tables 2 and A1), and SlowFast's, one function a family.

TAdaConv enters as the convolution a block is given: `adaptive` makes it for a kernel of `size` x
`size` over `taps` frames, in the stages it is asked for; the other stages have the plain one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

from torch import Tensor, nn

from feature_extraction.backbones.clip_conv import ClipConv
from feature_extraction.backbones.resnet import (
    EXPANSION,
    Bottleneck,
    ConvNorm,
    FrameConv,
    MakeConv,
    MakeNorm,
    VideoResNet,
    bottleneck_stages,
)
from feature_extraction.backbones.slowfast import Pathway, SlowFast
from feature_extraction.tadaconv.aggregation import FrameNorm
from feature_extraction.tadaconv.generation import Calibrate
from feature_extraction.tadaconv.tadaconv import TAdaConv2d
from feature_extraction.tadaconv.time import TAdaConv1d, TAdaConv3d

Adaptive = Callable[..., nn.Module]  # (in channels, out channels, stride, *, size, taps)
Blocks = tuple[int, ...]
NARROWER = 8  # SlowFast: how many times fewer channels the fast pathway has
FIRST = 2  # the stages are res2, res3, ...


def adaptive_conv(
    in_channels: int,
    out_channels: int,
    stride: int,
    *,
    size: int = 3,
    taps: int = 1,
    calibrate: Calibrate = "in",
    proportion: float = 1.0,
    reduction: int = 4,
    kernels: tuple[int] | tuple[int, int] = (3, 3),
    global_context: bool = True,
) -> TAdaConv2d | TAdaConv3d:
    """The TAdaConv a block is given: spatial (taps 1), temporal (size 1) or both."""
    options = {
        "calibrate": calibrate,
        "proportion": proportion,
        "reduction": reduction,
        "kernels": kernels,
        "global_context": global_context,
    }
    if taps == 1:
        return TAdaConv2d(
            in_channels, out_channels, size, stride=stride, padding=size // 2, **options
        )
    if size == 1:
        return TAdaConv1d(in_channels, out_channels, taps, padding=taps // 2, **options)
    return TAdaConv3d(
        in_channels,
        out_channels,
        (taps, size, size),
        stride=(1, stride, stride),
        padding=(taps // 2, size // 2, size // 2),
        **options,
    )


class FactorisedConv(nn.Module):
    """R(2+1)D's middle: a spatial convolution, batch norm and ReLU, and a temporal convolution."""

    def __init__(self, spatial: nn.Module, channels: int, temporal: nn.Module) -> None:
        super().__init__()
        self.spatial, self.between, self.temporal = spatial, FrameNorm(channels), temporal

    def forward_frames(self, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] of clips of `length` = T frames -> [B*T, Co, H', W']."""
        frames = self.between(self.spatial.forward_frames(frames, length), length)
        return self.temporal.forward_frames(frames, length)


def r2d(
    blocks: Blocks,
    width: int,
    num_classes: int | tuple[int, int],
    dropout: float,
    make_norm: MakeNorm,
    adaptive: Adaptive,
    stages: Collection[int],
) -> VideoResNet:
    """R2D: TSN, and TAda2D where `stages` have TAdaConv (Section 4); res2 strides, no max pool."""
    convs = by_stage(blocks, FrameConv, adaptive, stages)
    stem = ConvNorm(
        3, width, 7, 2
    )  # before the stages: their start weights are drawn in this order
    parts = bottleneck_stages(width, width, blocks, convs, make_norm)
    return VideoResNet(stem, parts, last_channels(width, blocks), num_classes, dropout)


def r3d(
    blocks: Blocks,
    width: int,
    num_classes: int | tuple[int, int],
    dropout: float,
    make_norm: MakeNorm,
    adaptive: Adaptive,
    stages: Collection[int],
) -> VideoResNet:
    """R3D: R2D with its stem and its middle convolutions over three frames (Table A1)."""
    convs = by_stage(blocks, ClipConv, partial(adaptive, taps=3), stages)
    parts = bottleneck_stages(width, width, blocks, convs, make_norm)
    return VideoResNet(
        ConvNorm(3, width, 7, 2, taps=3), parts, last_channels(width, blocks), num_classes, dropout
    )


def r2plus1d(
    blocks: Blocks,
    width: int,
    num_classes: int | tuple[int, int],
    dropout: float,
    make_norm: MakeNorm,
    adaptive: Adaptive,
    stages: Collection[int],
    *,
    temporal: bool = False,
) -> VideoResNet:
    """R(2+1)D: R2D with a temporal convolution after each spatial one (Table A1).

    Where `stages` have TAdaConv it is the spatial convolution, and with `temporal` both.
    """
    over_time = partial(ClipConv, kernel=1)
    adaptive_time = partial(adaptive, size=1, taps=3) if temporal else over_time
    spatial = by_stage(blocks, FrameConv, adaptive, stages)
    temporals = by_stage(blocks, over_time, adaptive_time, stages)
    convs = [partial(_factorised, one, other) for one, other in zip(spatial, temporals)]
    parts = bottleneck_stages(width, width, blocks, convs, make_norm)
    return VideoResNet(
        ConvNorm(3, width, 7, 2), parts, last_channels(width, blocks), num_classes, dropout
    )


def slowonly(
    blocks: Blocks,
    width: int,
    num_classes: int | tuple[int, int],
    dropout: float,
    make_norm: MakeNorm,
    adaptive: Adaptive,
    stages: Collection[int],
) -> VideoResNet:
    """SlowFast's slow pathway alone: max pool, and reductions over three frames from res4 on."""
    convs = by_stage(blocks, FrameConv, adaptive, stages)
    parts = bottleneck_stages(
        width, width, blocks, convs, make_norm, first_stride=1, taps=slow_taps(blocks)
    )
    channels = last_channels(width, blocks)
    stem = ConvNorm(3, width, 7, 2)
    model = VideoResNet(stem, parts, channels, num_classes, dropout, max_pool=True)
    start_branches_at_zero(model)
    return model


def slowfast(
    blocks: Blocks,
    width: int,
    num_classes: int | tuple[int, int],
    dropout: float,
    make_norm: MakeNorm,
    adaptive: Adaptive,
    stages: Collection[int],
    *,
    alpha: int,
    reach: int,
) -> SlowFast:
    """SlowFast: the slow pathway sees every alpha-th frame of a clip, the fast one all of them.

    `reach` is the length of the joining convolutions over the fast frames. The fast pathway has an
    eighth of the channels, and TAdaConv in the same stages.
    """
    narrow = max(1, width // NARROWER)
    fast_channels = [narrow, *(narrow * EXPANSION * 2**index for index in range(len(blocks)))]
    joined = [2 * channels for channels in fast_channels[:-1]]
    convs = by_stage(blocks, FrameConv, adaptive, stages)
    slow = bottleneck_stages(
        width,
        width,
        blocks,
        convs,
        make_norm,
        first_stride=1,
        taps=slow_taps(blocks),
        joined=joined,
    )
    fast = bottleneck_stages(
        narrow, narrow, blocks, convs, make_norm, first_stride=1, taps=(3,) * len(blocks)
    )
    joints = nn.ModuleList(
        ConvNorm(channels, 2 * channels, 1, taps=reach, time_stride=alpha)
        for channels in fast_channels[:-1]
    )
    model = SlowFast(
        Pathway(ConvNorm(3, width, 7, 2), slow),
        Pathway(ConvNorm(3, narrow, 7, 2, taps=5), fast),
        joints,
        alpha,
        (last_channels(width, blocks), fast_channels[-1]),
        num_classes,
        dropout,
    )
    start_branches_at_zero(model)
    return model


def by_stage(
    blocks: Sequence[int], plain: MakeConv, adaptive: MakeConv, stages: Collection[int]
) -> list[MakeConv]:
    """What makes each stage's convolution: `adaptive` where its number (2, 3, ...) is in `stages`."""
    return [adaptive if index + FIRST in stages else plain for index in range(len(blocks))]


def last_channels(width: int, blocks: Sequence[int]) -> int:
    """Channels after the last stage."""
    return width * EXPANSION * 2 ** (len(blocks) - 1)


def slow_taps(blocks: Sequence[int]) -> tuple[int, ...]:
    """Over how many frames the slow pathway's reductions reach: three from res4 on."""
    return tuple(3 if index >= 2 else 1 for index in range(len(blocks)))


def start_branches_at_zero(model: nn.Module) -> None:
    """Start every block as its shortcut, as SlowFast is trained from scratch (Goyal et al. 2017)."""
    for module in model.modules():
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.expand.norm.weight)


def _factorised(
    spatial: MakeConv, temporal: MakeConv, in_channels: int, out_channels: int, stride: int
) -> FactorisedConv:
    return FactorisedConv(
        spatial(in_channels, out_channels, stride),
        out_channels,
        temporal(out_channels, out_channels, 1),
    )
