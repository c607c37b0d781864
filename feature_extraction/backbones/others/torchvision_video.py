"""Networks of `torchvision.models.video`: their features are what their last layer is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from feature_extraction.backbones.others.adapted import AdaptedNetwork
from feature_extraction.backbones.resnet import Classes
from feature_extraction.published.description import Colours, Description
from feature_extraction.published.names import Published, PublishedError, unknown_name
from feature_extraction.weights.files import CheckpointError, published_state

KINETICS = "kinetics400"  # what `pretrained` calls their first published weights
_POSITIONS = ("mvit_",)  # kinds whose positions are of one clip: 16 frames of 224 x 224 pixels
_MVIT_FRAMES = 16
_LEAST = {"s3d": 5}  # frames that leave something after its poolings over time


class TorchvisionNetwork(AdaptedNetwork):
    """A network of torchvision without its classifier: r3d_18, mc3_18, r2plus1d_18, s3d, mvit_*, swin3d_*."""

    def __init__(
        self, network: nn.Module, takes: Description, *, num_classes: Classes, dropout: float
    ) -> None:
        last = (
            "fc"
            if hasattr(network, "fc")
            else "classifier"
            if hasattr(network, "classifier")
            else "head"
        )
        channels = _channels(getattr(network, last))
        super().__init__(
            network, takes, feature_dim=channels, num_classes=num_classes, dropout=dropout
        )
        setattr(network, last, nn.Identity())

    def _features(self, video: Tensor) -> Tensor:
        from torchvision import models

        if not isinstance(self.network, models.video.S3D):
            return cast(Tensor, self.network(video))
        maps = self.network.features(video)
        needed = self.network.avgpool.kernel_size
        if all(size >= least for size, least in zip(maps.shape[2:], needed, strict=True)):
            maps = self.network.avgpool(maps)  # of smaller clips the mean of all
        return cast(Tensor, maps.mean((2, 3, 4)))


def describe(published: Published) -> Description:
    """What a network of torchvision's takes. Raises PublishedError for an unknown name."""
    from torchvision import models

    known = models.list_models(module=models.video)
    if published.name not in known:
        raise unknown_name(published, known)
    transform = next(iter(models.get_model_weights(published.name))).transforms()
    described = Description(
        name=str(published),
        mean=_colours(transform.mean),
        std=_colours(transform.std),
        least=_LEAST.get(published.name, 1),
    )
    if not published.name.startswith(_POSITIONS):
        return described
    size, short = transform.crop_size[0], transform.resize_size[0]
    return Description(
        **{**vars(described), "frames": _MVIT_FRAMES, "crop": size, "short_side": short}
    )


def untrained(published: Published) -> nn.Module:
    """The network with random weights. Raises PublishedError for an unknown name."""
    describe(published)
    from torchvision import models

    network: nn.Module = models.get_model(published.name)
    return network


def fetched(published: Published, weights: str) -> Mapping[str, object]:
    """Weights that torchvision publishes: the first of a network (`kinetics400`), or by their name.

    Raises PublishedError for an unknown name, and where they cannot be had.
    """
    from torchvision import models

    there = {choice.name.lower(): choice for choice in models.get_model_weights(published.name)}
    first = next(iter(there.values()))
    chosen: Any = first if weights.lower() == KINETICS else there.get(weights.lower())
    if chosen is None:
        raise PublishedError(
            f"{published} has no weights {weights!r}: give a file, {KINETICS}, or {', '.join(there)}"
        )
    try:
        return published_state(chosen)
    except CheckpointError as error:
        raise PublishedError(f"{published}: {error}") from error


def _channels(last: nn.Module) -> int:
    """The channels that a classifier is given."""
    for module in last.modules():
        if isinstance(module, nn.Linear):
            return module.in_features
        if isinstance(module, nn.Conv3d):
            return module.in_channels
    raise ValueError(f"a {type(last).__name__} is not a classifier")


def _colours(values: Any) -> Colours:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
