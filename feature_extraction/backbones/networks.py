"""The paper's networks (Appendix B, Tables 2 and A1), and SlowFast's, put together from their blocks.

TAdaConv enters as the convolution a block is given, in the stages it is asked for; the other stages
have the plain one of the family.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Protocol, Unpack

from torch import nn

from feature_extraction.backbones.blocks import (
    EXPANSION,
    Bottleneck,
    ClipConv,
    ConvNorm,
    FactorisedConv,
    FrameConv,
    FramesConv,
    MakeConv,
    MakeNorm,
    bottleneck_stages,
    last_channels,
)
from feature_extraction.backbones.resnet import Classes, VideoResNet
from feature_extraction.backbones.slowfast import Pathway, SlowFast
from feature_extraction.tadaconv.generation import CalibrationOptions
from feature_extraction.tadaconv.modules import TAdaConv1d, TAdaConv2d, TAdaConv3d

NARROWER = 8  # SlowFast: how many times fewer channels the fast pathway has
FIRST = 2  # the stages are res2, res3, ...


class Adaptive(Protocol):
    """What makes TAdaConv for a kernel of `size` x `size` over `taps` frames, with stride `stride`."""

    def __call__(
        self, in_channels: int, out_channels: int, stride: int, *, size: int = 3, taps: int = 1
    ) -> FramesConv: ...


Middle = Callable[[Adaptive], tuple[MakeConv, MakeConv]]  # -> plain, and with TAdaConv


def adaptive_conv(
    in_channels: int,
    out_channels: int,
    stride: int,
    *,
    size: int = 3,
    taps: int = 1,
    **options: Unpack[CalibrationOptions],
) -> FramesConv:
    """The TAdaConv a block is given: spatial (taps 1), temporal (size 1) or both."""
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


def frame_middle(adaptive: Adaptive) -> tuple[MakeConv, MakeConv]:
    """The middle of R2D's blocks, and of SlowFast's: a convolution frame by frame."""
    return FrameConv, adaptive


def clip_middle(adaptive: Adaptive) -> tuple[MakeConv, MakeConv]:
    """The middle of R3D's blocks: a convolution over three frames (Table A1)."""
    return ClipConv, partial(adaptive, taps=3)


def factorised_middle(adaptive: Adaptive, *, temporal: bool = False) -> tuple[MakeConv, MakeConv]:
    """The middle of R(2+1)D's blocks: a temporal convolution after each spatial one (Table A1).

    The spatial one is TAdaConv, and with `temporal` both are.
    """
    over_time = partial(ClipConv, kernel=1)
    adapted = partial(adaptive, size=1, taps=3) if temporal else over_time
    return partial(_factorised, FrameConv, over_time), partial(_factorised, adaptive, adapted)


def by_stage(
    blocks: Sequence[int], plain: MakeConv, adapted: MakeConv, stages: Collection[int]
) -> list[MakeConv]:
    """What makes each stage's convolution: `adapted` where its number (2, 3, ...) is in `stages`."""
    return [adapted if index + FIRST in stages else plain for index in range(len(blocks))]


def resnet(
    blocks: Sequence[int],
    width: int,
    convs: Sequence[MakeConv],
    make_norm: MakeNorm,
    num_classes: Classes,
    dropout: float,
    *,
    stem_taps: int = 1,
    stem_first: bool = False,
    slow: bool = False,
) -> VideoResNet:
    """R2D, R3D and R(2+1)D (Section 4; res2 strides, no max pool), by `convs`, what makes each stage's.

    stem_taps: over how many frames the stem reaches; slow: SlowFast's slow pathway alone, with a max
    pool and reductions over three frames from res4 on; stem_first: the stem's random weights are drawn
    before the stages' (a seed gives the weights it always gave).
    """
    early = ConvNorm(3, width, 7, 2, taps=stem_taps) if stem_first else None
    taps, first_stride = (slow_taps(blocks), 1) if slow else (None, 2)
    stages = bottleneck_stages(
        width, blocks, convs, make_norm, first_stride=first_stride, taps=taps
    )
    stem = ConvNorm(3, width, 7, 2, taps=stem_taps) if early is None else early
    channels = last_channels(width, blocks)
    model = VideoResNet(stem, stages, channels, num_classes, dropout, max_pool=slow)
    if slow:
        start_branches_at_zero(model)
    return model


def slowfast(
    blocks: Sequence[int],
    width: int,
    convs: Sequence[MakeConv],
    make_norm: MakeNorm,
    num_classes: Classes,
    dropout: float,
    *,
    alpha: int,
    reach: int,
) -> SlowFast:
    """SlowFast: the slow pathway sees every alpha-th frame of a clip, the fast one all of them.

    `reach` is the length of the lateral convolutions over the fast frames. The fast pathway has an
    eighth of the channels, and the same `convs`.
    """
    narrow, everywhere = max(1, width // NARROWER), (3,) * len(blocks)
    sources = [narrow, *(narrow * EXPANSION * 2**index for index in range(len(blocks) - 1))]
    stages = partial(bottleneck_stages, blocks=blocks, make_convs=convs, make_norm=make_norm)
    joined = [2 * channels for channels in sources]
    slow = stages(width, first_stride=1, taps=slow_taps(blocks), joined=joined)
    fast = stages(narrow, first_stride=1, taps=everywhere)
    lateral = nn.ModuleList(
        ConvNorm(channels, 2 * channels, 1, taps=reach, time_stride=alpha) for channels in sources
    )
    model = SlowFast(
        Pathway(ConvNorm(3, width, 7, 2), slow),
        Pathway(ConvNorm(3, narrow, 7, 2, taps=5), fast),
        lateral,
        alpha,
        (last_channels(width, blocks), last_channels(narrow, blocks)),
        num_classes,
        dropout,
    )
    start_branches_at_zero(model)
    return model


def slow_taps(blocks: Sequence[int]) -> tuple[int, ...]:
    """Over how many frames the slow pathway's reductions reach: three from res4 on."""
    return tuple(3 if index >= 2 else 1 for index in range(len(blocks)))


def start_branches_at_zero(model: nn.Module) -> None:
    """Start every block as its shortcut, as SlowFast is trained from scratch (Goyal et al. 2017)."""
    for module in model.modules():
        if isinstance(module, Bottleneck) and isinstance(module.expand.norm, nn.BatchNorm2d):
            nn.init.zeros_(module.expand.norm.weight)


def _factorised(
    spatial: MakeConv, temporal: MakeConv, in_channels: int, out_channels: int, stride: int
) -> FactorisedConv:
    return FactorisedConv(
        spatial(in_channels, out_channels, stride),
        out_channels,
        temporal(out_channels, out_channels, 1),
    )
