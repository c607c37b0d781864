"""Networks of timm as the frame network of a TSN: the features of a clip's frames, averaged."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from feature_extraction.backbones.others.adapted import AdaptedNetwork
from feature_extraction.backbones.resnet import Classes
from feature_extraction.published.description import Description
from feature_extraction.published.names import (
    Published,
    PublishedError,
    needs_extra,
    unknown_name,
)
from feature_extraction.tadaconv.layout import to_clips, to_frames


class TimmNetwork(AdaptedNetwork):
    """A network of timm over the frames of clips, without its classifier; frames are averaged (TSN)."""

    def __init__(
        self, network: nn.Module, takes: Description, *, num_classes: Classes, dropout: float
    ) -> None:
        known: Any = network
        channels = int(getattr(known, "head_hidden_size", None) or known.num_features)
        super().__init__(
            network, takes, feature_dim=channels, num_classes=num_classes, dropout=dropout
        )

    def _features(self, video: Tensor) -> Tensor:
        length = video.shape[2]
        self.tell_frames(length)
        found: Tensor = self.network(to_frames(video))
        return to_clips(found, length).mean(1)

    def checkpoint_activations(self) -> bool:
        """Have its blocks keep their inputs alone; whether it can."""
        try:
            self.network.set_grad_checkpointing(True)  # type: ignore[operator]
        except (AttributeError, AssertionError):  # it has none, or says so
            return False
        return True


def describe(published: Published) -> Description:
    """What a network of timm's takes: of one size alone, or frames of any. Raises PublishedError."""
    timm = _library(published)
    _require_known(published)
    config = timm.get_pretrained_cfg(published.name)
    values = {} if config is None else config.to_dict()
    size = values.get("input_size") or (3, 224, 224)
    if size[0] != 3 or size[1] != size[2]:
        raise PublishedError(
            f"{published} takes frames of {size}, but only squares of three colours are supported"
        )
    mean, std = (
        tuple(float(v) for v in values[key]) if key in values else None for key in ("mean", "std")
    )
    fixed = bool(values.get("fixed_input_size"))
    share = float(values.get("crop_pct") or 1)
    return Description(
        name=str(published),
        mean=mean,  # type: ignore[arg-type]  # three, as the channels are
        std=std,  # type: ignore[arg-type]
        crop=int(size[1]) if fixed else None,
        short_side=int(size[1] / share) if fixed else None,
    )


def untrained(published: Published) -> nn.Module:
    """The network with random weights, without its classifier. Raises PublishedError."""
    timm = _library(published)
    _require_known(published)
    network: nn.Module = timm.create_model(published.name, pretrained=False, num_classes=0)
    return network


def pretrained(published: Published) -> nn.Module:
    """The network with the weights that timm publishes under its name, from a safetensors file of the Hub.

    Raises PublishedError if there are none, or they cannot be had.
    """
    timm = _library(published)
    _require_known(published)
    config = timm.get_pretrained_cfg(published.name)
    place = None if config is None else config.hf_hub_id
    if not place:
        raise PublishedError(
            f"{published}: timm publishes no weights for it as safetensors: give a file"
        )
    try:
        from huggingface_hub import hf_hub_download

        path = hf_hub_download(place, "model.safetensors")
        network: nn.Module = timm.create_model(
            published.name, pretrained=True, num_classes=0, pretrained_cfg_overlay={"file": path}
        )
    except Exception as error:  # the Hub's errors, its client's and the system's share no class
        said = " ".join(str(error).split())[:150]
        raise PublishedError(
            f"{published}: its weights could not be downloaded ({said}): fetch https://huggingface.co/{place} on a machine "
            "with a network, and give the path of its model.safetensors"
        ) from error
    return network


def _library(published: Published) -> Any:
    try:
        import timm
    except ImportError as error:
        raise needs_extra(published, "timm", "timm") from error
    return timm


def _require_known(published: Published) -> None:
    timm = _library(published)
    base = published.name.partition(".")[0]
    if not timm.is_model(base):
        raise unknown_name(published, timm.list_models())
    tag = published.name.partition(".")[2]
    tagged = timm.list_models(f"{base}.*", pretrained=True) if tag else ()
    if tag and published.name not in tagged:
        raise unknown_name(published, tagged or [base])
