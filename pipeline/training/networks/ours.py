"""A network of ours as a configuration describes it, and its initial weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from feature_extraction.backbones import BACKBONES, VideoNetwork, build_backbone
from feature_extraction.weights import (
    LoadReport,
    imagenet_state,
    load_imagenet,
    load_public_checkpoint,
    read_checkpoint,
    require_imagenet_has_it,
)
from feature_extraction.weights.files import CheckpointError
from pipeline.configuration.settings import BackboneSettings
from pipeline.errors import UsageError

_OF_OTHERS = ("tokens", "insert", "published")  # keys about networks that others publish


def our_network(settings: BackboneSettings, num_classes: int | tuple[int, int]) -> VideoNetwork:
    """The network with random weights. Raises UsageError for what it cannot be."""
    if settings.name not in BACKBONES:
        names = ", ".join(sorted(BACKBONES))
        raise UsageError(
            f"backbone.name = {settings.name!r}: choose one of {names}, or a network that others publish "
            "(hf:ORG/MODEL, torchvision:NAME, timm:NAME)"
        )
    for key in _OF_OTHERS:
        if getattr(settings, key) != BackboneSettings.model_fields[key].default:
            raise UsageError(
                f"backbone.{key} = {getattr(settings, key)!r}: has no effect on {settings.name}, which is a "
                "built-in network: leave it out (docs/how-to/backbones.md)"
            )
    first, *second = settings.kernels
    try:
        return build_backbone(
            settings.name,
            depth=settings.depth,
            width=settings.width,
            num_classes=num_classes,
            dropout=settings.dropout,
            reduction=settings.reduction,
            kernels=(first, second[0]) if second else (first,),
            global_context=settings.global_context,
            calibrate=settings.calibrate,
            proportion=settings.proportion,
            tada_stages=settings.tada_stages,
            aggregation=settings.aggregation,
            pool_kernel=settings.pool_kernel,
            shortcut=settings.shortcut,
            separate_norms=settings.separate_norms,
        )
    except ValueError as error:
        raise UsageError(f"backbone: {error}") from error


def load_initial(model: VideoNetwork, settings: BackboneSettings) -> LoadReport | None:
    """Put the initial weights in; None if they stay random. Raises CheckpointError if they do not fit."""
    if settings.pretrained is None:
        return None
    if settings.pretrained == "imagenet":
        require_imagenet_has_it(model)  # before they are fetched
        return load_imagenet(model, _imagenet_state(settings.depth))
    state = read_checkpoint(Path(settings.pretrained))
    load = load_imagenet if "layer1.0.conv1.weight" in state else load_public_checkpoint
    return load(model, state)


def _imagenet_state(depth: int | tuple[int, ...]) -> Mapping[str, object]:
    if not isinstance(depth, int):
        raise CheckpointError(f"torchvision has no ImageNet weights of depth {depth}: give a file")
    return imagenet_state(None, depth=depth)
