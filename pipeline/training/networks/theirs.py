"""A network that others publish as a configuration describes it, and its initial weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from feature_extraction.backbones.others import (
    AdaptedNetwork,
    load_into_published,
    published_backbone,
)
from feature_extraction.published.names import PublishedError
from feature_extraction.weights import CheckpointError, read_checkpoint
from pipeline.configuration.settings import BackboneSettings
from pipeline.errors import UsageError, UserError
from pipeline.training.networks.said import say_initial, say_published

_BY_NAME = "published"
_NAMED = {"hf": (_BY_NAME,), "timm": (_BY_NAME,)}  # torchvision's have names of their own


def their_network(
    settings: BackboneSettings, num_classes: int | tuple[int, int], weights: str | None = None
) -> AdaptedNetwork:
    """The network with random weights, or those published as `weights`.

    Raises UsageError for what it cannot be.
    """
    try:
        return published_backbone(
            settings.name,
            num_classes=num_classes,
            dropout=settings.dropout,
            takes=settings.description,
            tokens=settings.tokens,
            insert=settings.insert,
            calibration=_calibration(settings),
            weights=weights,
        )
    except PublishedError as error:
        raise UsageError(f"backbone: {error}") from error


def their_initial_network(
    settings: BackboneSettings, num_classes: int | tuple[int, int]
) -> AdaptedNetwork:
    """The network with its initial weights; which they are is reported.

    Raises UserError for weights that cannot be had or do not fit.
    """
    weights = published_weights(settings)
    model = their_network(settings, num_classes, weights)
    if weights is not None:
        say_published(settings, weights)
        return model
    report = None
    if settings.pretrained is not None:
        try:
            report = load_into_published(model, read_checkpoint(Path(settings.pretrained)))
        except CheckpointError as error:
            raise UserError(f"backbone.pretrained {settings.pretrained}: {error}") from error
    say_initial(settings, report)
    return model


def published_weights(settings: BackboneSettings) -> str | None:
    """Which published weights a network of others begins with; None for random ones and for a file.

    Raises UsageError for a name that is none.
    """
    published, given = settings.of_others, settings.pretrained
    assert published is not None
    if given is None:
        return _BY_NAME if published.source == "hf" else None
    if Path(given).is_file():
        return None
    if given == "imagenet":
        raise UsageError(
            f"backbone.pretrained = imagenet: applies to built-in networks only; give {settings.title} a file, or published"
        )
    named = _NAMED.get(published.source)
    is_name = given in named if named else given.isidentifier()
    return given if is_name else None


def _calibration(settings: BackboneSettings) -> dict[str, Any]:
    """The options of TAdaConv where it is put in."""
    context = settings.global_context
    return {
        "calibrate": settings.calibrate,
        "proportion": settings.proportion,
        "reduction": settings.reduction,
        "kernels": settings.kernels,
        "global_context": True if context is None else context,
    }
