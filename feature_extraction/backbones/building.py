"""Backbones by name, and their options.

- depth: 50, 101, 152, or the blocks of each stage; width: the stem's channels;
- num_classes: of one classifier, or a (verb, noun) pair; dropout: before the classifier.

Options of TAdaConv (Section 3.2), if the name has "tada":

- reduction, kernels: the ratio r and the kernel lengths of its calibration weights, or one length for
  the linear form; global_context: the clip descriptor added, None as in the paper's network of the name;
- calibrate: "in", "out", "in_out" or "kernel" (Table 4); proportion: of the channels (Fig. 3);
- tada_stages: which of res2 to res5 have it (2, 3, 4, 5; None: all).

Options of the temporal aggregation after it:

- aggregation: "none", "average", "maximum" or "mixed" (Table 3b; None: average in tada2d, none elsewhere);
- pool_kernel: over how many frames; shortcut, separate_norms: with or without them.

reduction and kernels have no effect without TAdaConv, nor pool_kernel without aggregation, so that one
configuration runs any network. Other options are refused there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from feature_extraction.backbones.blocks import MakeConv, MakeNorm
from feature_extraction.backbones.networks import (
    FIRST,
    Middle,
    adaptive_conv,
    by_stage,
    clip_middle,
    factorised_middle,
    frame_middle,
    resnet,
    slowfast,
)
from feature_extraction.backbones.resnet import Classes, VideoNetwork
from feature_extraction.tadaconv.aggregation import aggregation_of
from feature_extraction.tadaconv.generation import Calibrate, Kernels

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
Build = Callable[[Sequence[int], int, Sequence[MakeConv], MakeNorm, Classes, float], VideoNetwork]


class Row(NamedTuple):
    """What is in the middle of a network's blocks, and what puts the network together.

    global_context: whether its calibration weights have a map of the clip's descriptor: the parameters
    that Table 2 adds say where not. aggregation: over time, in TAda2D (Eq. 7).
    """

    middle: Middle
    build: Build
    global_context: bool = True
    aggregation: str = "none"


# A name with "tada" has TAdaConv. 4x16 and 8x8 are the slow pathway's frames and their distance: a
# SlowFast takes clips of 32 frames at interval 2, the others 8 at interval 8.
R2D = Row(frame_middle, partial(resnet, stem_first=True))
SLOW_ONLY = Row(frame_middle, partial(resnet, slow=True))
SLOWFAST_4X16 = Row(frame_middle, partial(slowfast, alpha=8, reach=5))
SLOWFAST_8X8 = Row(frame_middle, partial(slowfast, alpha=4, reach=7))
BACKBONES = {
    "tsn": R2D,
    "tada2d": R2D._replace(aggregation="average"),
    "slowonly_8x8": SLOW_ONLY,
    "slowonly_8x8_tada": SLOW_ONLY,
    "slowfast_4x16": SLOWFAST_4X16,
    "slowfast_4x16_tada": SLOWFAST_4X16,
    "slowfast_8x8": SLOWFAST_8X8,
    "slowfast_8x8_tada": SLOWFAST_8X8,
    "r2plus1d": Row(factorised_middle, resnet),
    "r2plus1d_tada_2d": Row(factorised_middle, resnet, global_context=False),
    "r2plus1d_tada_2d1d": Row(
        partial(factorised_middle, temporal=True), resnet, global_context=False
    ),
    "r3d": Row(clip_middle, partial(resnet, stem_taps=3)),
    "r3d_tada": Row(clip_middle, partial(resnet, stem_taps=3), global_context=False),
}


def build_backbone(
    name: str,
    *,
    depth: int | tuple[int, ...] = 50,
    width: int = 64,
    num_classes: Classes,
    dropout: float = 0.5,
    reduction: int = 4,
    kernels: Kernels = (3, 3),
    global_context: bool | None = None,
    calibrate: Calibrate = "in",
    proportion: float = 1.0,
    tada_stages: tuple[int, ...] | None = None,
    aggregation: str | None = None,
    pool_kernel: int = 3,
    shortcut: bool = True,
    separate_norms: bool = True,
) -> VideoNetwork:
    """Build a backbone: module(video [B, 3, T, H, W]) gives logits or a (verb, noun) pair.

    `features(video)` gives [B, feature_dim], and `classify(features)` the logits. Raises ValueError on an unknown name, a wrong size, or an option of no effect.
    """
    row, blocks = _row(name), blocks_of(depth)
    _refuse_calibration(name, global_context, calibrate, proportion, tada_stages)
    adaptive = partial(
        adaptive_conv,
        calibrate=calibrate,
        proportion=proportion,
        reduction=reduction,
        kernels=kernels,
        global_context=row.global_context if global_context is None else global_context,
    )
    convs = by_stage(blocks, *row.middle(adaptive), _adapted_stages(name, blocks, tada_stages))
    kind = row.aggregation if aggregation is None else aggregation
    make_norm = aggregation_of(
        kind, kernel=pool_kernel, shortcut=shortcut, separate_norms=separate_norms
    )
    return row.build(blocks, width, convs, make_norm, num_classes, dropout)


def blocks_of(depth: int | tuple[int, ...]) -> tuple[int, ...]:
    """The blocks of each stage: (3, 4, 6, 3) for depth 50, or the tuple that was given."""
    if isinstance(depth, int):
        if depth not in DEPTHS:
            known = ", ".join(map(str, DEPTHS))
            raise ValueError(f"depth must be {known} or a tuple of blocks per stage, not {depth}")
        return DEPTHS[depth]
    return tuple(depth)


def _row(name: str) -> Row:
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}: choose from {', '.join(BACKBONES)}")
    return BACKBONES[name]


def _adapted_stages(
    name: str, blocks: tuple[int, ...], tada_stages: tuple[int, ...] | None
) -> tuple[int, ...]:
    """The numbers of the stages that have TAdaConv."""
    every = tuple(range(FIRST, FIRST + len(blocks)))
    stages = every if tada_stages is None else tada_stages
    if not stages or not set(stages) <= set(every):
        last = FIRST + len(blocks) - 1
        raise ValueError(f"tada_stages are some of {FIRST} to {last} (res2 ...), not {stages}")
    return stages if "tada" in name else ()


def _refuse_calibration(
    name: str,
    global_context: bool | None,
    calibrate: Calibrate,
    proportion: float,
    tada_stages: tuple[int, ...] | None,
) -> None:
    given = {
        "global_context": global_context is not None,
        "calibrate": calibrate != "in",
        "proportion": proportion != 1,
        "tada_stages": tada_stages is not None,
    }
    for option, there in given.items():
        if there and "tada" not in name:
            raise ValueError(f"{name} has no TAdaConv: {option} has no effect, leave it out")
