"""Backbones by name: networks that turn clips [B, 3, T, H, W] into features and class scores."""

from __future__ import annotations

from functools import partial

from torch import nn

from feature_extraction.backbones.folding import fold_for_inference
from feature_extraction.backbones.inference import InferenceNetwork, for_inference
from feature_extraction.backbones.networks import (
    FIRST,
    adaptive_conv,
    r2d,
    r2plus1d,
    r3d,
    slowfast,
    slowonly,
)
from feature_extraction.backbones.resnet import VideoResNet, blocks_of
from feature_extraction.backbones.slowfast import SlowFast
from feature_extraction.tadaconv.aggregation_kinds import aggregation_of
from feature_extraction.tadaconv.generation import Calibrate
from feature_extraction.tadaconv.insertion import insert_tadaconv
from feature_extraction.tadaconv.tadaconv import TAdaConv2d
from feature_extraction.tadaconv.time import TAdaConv1d, TAdaConv3d
from feature_extraction.weights.loading import (
    CheckpointError,
    LoadReport,
    imagenet_state,
    load_imagenet,
    load_public_checkpoint,
    read_checkpoint,
    weights_digest,
)

# A builder a name; a name with "tada" has TAdaConv. 4x16 and 8x8 are the slow pathway's frames and
# their distance: a SlowFast takes clips of 32 frames at interval 2, the others 8 at interval 8.
BACKBONES = {
    "tsn": r2d,
    "tada2d": r2d,
    "slowonly_8x8": slowonly,
    "slowonly_8x8_tada": slowonly,
    "slowfast_4x16": partial(slowfast, alpha=8, reach=5),
    "slowfast_4x16_tada": partial(slowfast, alpha=8, reach=5),
    "slowfast_8x8": partial(slowfast, alpha=4, reach=7),
    "slowfast_8x8_tada": partial(slowfast, alpha=4, reach=7),
    "r2plus1d": r2plus1d,
    "r2plus1d_tada_2d": r2plus1d,
    "r2plus1d_tada_2d1d": partial(r2plus1d, temporal=True),
    "r3d": r3d,
    "r3d_tada": r3d,
}
# The parameters Table 2 adds say: these have no map of the clip descriptor.
LOCAL_ALONE = ("r2plus1d_tada_2d", "r2plus1d_tada_2d1d", "r3d_tada")


def build_backbone(
    name: str,
    *,
    depth: int | tuple[int, ...] = 50,
    width: int = 64,
    num_classes: int | tuple[int, int],
    dropout: float = 0.5,
    reduction: int = 4,
    kernels: tuple[int] | tuple[int, int] = (3, 3),
    global_context: bool | None = None,
    calibrate: Calibrate = "in",
    proportion: float = 1.0,
    tada_stages: tuple[int, ...] | None = None,
    aggregation: str | None = None,
    pool_kernel: int = 3,
    shortcut: bool = True,
    separate_norms: bool = True,
) -> nn.Module:
    """Build a backbone: module(video [B, 3, T, H, W]) gives logits or a (verb, noun) pair.

    depth: 50, 101, 152, or the blocks of each stage; width: the stem's channels. TAdaConv (Section
    3.2): reduction, kernels: the ratio r and the kernel lengths of its calibration weights, or one
    length for the linear form; global_context: the clip descriptor added, None as in the paper's
    network of the name; calibrate: "in", "out", "in_out" or "kernel" (Table 4); proportion: of the
    channels (Fig. 3); tada_stages: which of res2 to res5 have it (2, 3, 4, 5; None: all).
    aggregation over time after it: "none", "average", "maximum" or "mixed" (Table 3b; None: average
    in tada2d, none elsewhere), over pool_kernel frames, with or without shortcut and separate_norms.
    reduction and kernels are without effect where there is no TAdaConv, pool_kernel without
    aggregation, so that one configuration runs any name; other options are refused there. The
    module's `features(video)` gives [B, feature_dim], `classify(features)` its logits. Raises
    ValueError on an unknown name, a wrong size, or an option the network has no use for.
    """
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}: choose from {', '.join(BACKBONES)}")
    blocks = blocks_of(depth)
    if "tada" not in name:
        _refuse_calibration(name, global_context, calibrate, proportion, tada_stages)
    stages = tuple(range(FIRST, FIRST + len(blocks))) if tada_stages is None else tada_stages
    if not stages or not set(stages) <= set(range(FIRST, FIRST + len(blocks))):
        last = FIRST + len(blocks) - 1
        raise ValueError(f"tada_stages are some of {FIRST} to {last} (res2 ...), not {stages}")
    if aggregation is None:
        aggregation = "average" if name == "tada2d" else "none"
    make_norm = aggregation_of(
        aggregation, kernel=pool_kernel, shortcut=shortcut, separate_norms=separate_norms
    )
    adaptive = partial(
        adaptive_conv,
        calibrate=calibrate,
        proportion=proportion,
        reduction=reduction,
        kernels=kernels,
        global_context=name not in LOCAL_ALONE if global_context is None else global_context,
    )
    chosen = stages if "tada" in name else ()
    return BACKBONES[name](blocks, width, num_classes, dropout, make_norm, adaptive, chosen)


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
    for option in (option for option, there in given.items() if there):
        raise ValueError(f"{name} has no TAdaConv: {option} has no effect, leave it out")


__all__ = [
    "BACKBONES",
    "CheckpointError",
    "InferenceNetwork",
    "LoadReport",
    "SlowFast",
    "TAdaConv1d",
    "TAdaConv2d",
    "TAdaConv3d",
    "VideoResNet",
    "build_backbone",
    "fold_for_inference",
    "for_inference",
    "imagenet_state",
    "insert_tadaconv",
    "load_imagenet",
    "load_public_checkpoint",
    "read_checkpoint",
    "weights_digest",
]
