"""Networks of others by name: described, and built with random or with published weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from feature_extraction.backbones.others.adapted import AdaptedNetwork
from feature_extraction.backbones.resnet import Classes
from feature_extraction.published import hugging_face as described_hf
from feature_extraction.published.description import Description
from feature_extraction.published.names import Published, PublishedError, parse_name

PUBLISHED = "published"  # what `weights` calls those that a network's publisher gives first


def published_backbone(
    name: str,
    *,
    num_classes: Classes,
    dropout: float = 0.5,
    takes: Description | None = None,
    tokens: str = "mean",
    insert: str | None = None,
    calibration: Mapping[str, Any] | None = None,
    weights: str | None = None,
) -> AdaptedNetwork:
    """Build a network of others: module(video [B, 3, T, H, W]) gives logits or a (verb, noun) pair.

    name: `hf:ORG/MODEL`, `hf:FOLDER`, `torchvision:NAME` or `timm:NAME`. takes: what `describe` gives, asked
    for where it is None. tokens: how a model of Hugging Face's makes a feature, the `mean` of its tokens or
    the `first`. insert: a pattern of names; convolutions there become TAdaConv with the options `calibration`
    (those of `insert_tadaconv`). weights: None for random ones, `published` for those published, of
    torchvision's networks `kinetics400` or a name too. Raises PublishedError for what it cannot be.

        model = published_backbone("torchvision:r3d_18", num_classes=10, insert="network.layer?.*.conv1.0")
    """
    published = parse_name(name)
    if published is None:
        raise PublishedError(f"{name!r} is not a network of another publisher; use build_backbone")
    takes = describe(name) if takes is None else takes
    network = _network(published, takes, weights)
    model = _adapted(published, network, takes, num_classes, dropout, tokens)
    if insert is not None:
        _insert(model, published, insert, calibration or {})
    return model


def describe(name: str, revision: str | None = None) -> Description:
    """What a network of others takes, and is made of. Raises PublishedError if that cannot be had."""
    published = parse_name(name)
    if published is None:
        raise PublishedError(f"{name!r} is not a network of another publisher")
    if published.source == "hf":
        return described_hf.describe(published, revision)
    if revision is not None:
        raise PublishedError(f"{published}: {published.source} has no revisions: {revision!r}")
    if published.source == "torchvision":
        from feature_extraction.backbones.others import torchvision_video

        return torchvision_video.describe(published)
    from feature_extraction.backbones.others import timm_frames

    return timm_frames.describe(published)


def _network(published: Published, takes: Description, weights: str | None) -> nn.Module:
    if published.source == "hf":
        from feature_extraction.backbones.others import hugging_face

        if weights is None:
            return hugging_face.untrained(takes)
        return hugging_face.pretrained(str(published), takes)
    if published.source == "timm":
        from feature_extraction.backbones.others import timm_frames

        build = timm_frames.untrained if weights is None else timm_frames.pretrained
        return build(published)
    from feature_extraction.backbones.others import torchvision_video

    network = torchvision_video.untrained(published)
    if weights is not None:
        name = torchvision_video.KINETICS if weights == PUBLISHED else weights
        state = torchvision_video.fetched(published, name)
        network.load_state_dict(dict(state))
    return network


def _adapted(
    published: Published,
    network: nn.Module,
    takes: Description,
    num_classes: Classes,
    dropout: float,
    tokens: str,
) -> AdaptedNetwork:
    if published.source == "hf":
        from feature_extraction.backbones.others.hugging_face import HuggingFaceNetwork

        return HuggingFaceNetwork(
            network, takes, num_classes=num_classes, dropout=dropout, tokens=tokens
        )
    if tokens != "mean":
        raise PublishedError(f"{published}: tokens = {tokens!r} applies to hf: networks only")
    if published.source == "timm":
        from feature_extraction.backbones.others.timm_frames import TimmNetwork

        return TimmNetwork(network, takes, num_classes=num_classes, dropout=dropout)
    from feature_extraction.backbones.others.torchvision_video import TorchvisionNetwork

    return TorchvisionNetwork(network, takes, num_classes=num_classes, dropout=dropout)


def _insert(
    model: AdaptedNetwork, published: Published, where: str, options: Mapping[str, Any]
) -> None:
    if published.source == "hf":
        raise PublishedError(
            f"{published}: TAdaConv can be inserted into torchvision: and timm: networks, not into this one"
        )
    try:
        model.insert_tadaconv(where, options)
    except ValueError as error:
        raise PublishedError(f"{published}: {error}") from error
