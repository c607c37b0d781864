"""Backbones by name: networks that turn clips [B, 3, T, H, W] into features and class scores."""

from __future__ import annotations

from torch import nn

from feature_extraction.backbones.folding import fold_for_inference
from feature_extraction.backbones.inference import InferenceNetwork, for_inference
from feature_extraction.backbones.resnet import VideoResNet, tada2d, tsn
from feature_extraction.backbones.tadaconv import TAdaConv2d
from feature_extraction.backbones.weights import (
    CheckpointError,
    LoadReport,
    imagenet_state,
    load_imagenet,
    load_public_checkpoint,
    read_checkpoint,
    weights_digest,
)

BACKBONES = {"tsn": tsn, "tada2d": tada2d}


def build_backbone(
    name: str,
    *,
    depth: int | tuple[int, ...] = 50,
    width: int = 64,
    num_classes: int | tuple[int, int],
    dropout: float = 0.5,
    reduction: int = 4,
    kernels: tuple[int, int] = (3, 3),
    pool_kernel: int = 3,
) -> nn.Module:
    """Build a backbone: module(video [B, 3, T, H, W]) gives logits or a (verb, noun) pair.

    depth: 50, 101, 152, or the blocks of each stage; width: the stem's channels; reduction and
    kernels: the calibration weights' ratio r and kernel lengths (Section 3.2); pool_kernel: the
    temporal average pool of Eq. 7. The module's `features(video)` gives [B, feature_dim],
    `classify(features)` its logits. Raises ValueError on an unknown name or a wrong size.
    """
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}: choose from {', '.join(BACKBONES)}")
    return BACKBONES[name](
        depth=depth,
        width=width,
        num_classes=num_classes,
        dropout=dropout,
        reduction=reduction,
        kernels=kernels,
        pool_kernel=pool_kernel,
    )


__all__ = [
    "BACKBONES",
    "CheckpointError",
    "InferenceNetwork",
    "LoadReport",
    "TAdaConv2d",
    "VideoResNet",
    "build_backbone",
    "fold_for_inference",
    "for_inference",
    "imagenet_state",
    "load_imagenet",
    "load_public_checkpoint",
    "read_checkpoint",
    "weights_digest",
]
