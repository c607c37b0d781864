"""Both networks of a model, built from its settings and filled with its weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from feature_extraction.backbones import VideoNetwork
from pipeline.errors import UserError
from pipeline.prediction.model import Model
from pipeline.training.networks.classifier import classifier_to_fill
from pipeline.training.networks.heads import build_head


def classifier_of(model: Model, device: torch.device) -> VideoNetwork:
    """The model's classifier, in eval mode. Raises UserError if its weights are another network's."""
    network = classifier_to_fill(model.config.backbone, model.num_classes)
    _fill(network, model.classifier, model.name)
    return network.to(device).eval()


def head_of(model: Model, channels: int, device: torch.device) -> nn.Module:
    """The model's head, BMN or ActionFormer, for features of this many channels, in eval mode. Raises UserError as above."""
    network = build_head(model.config, channels, tuple(map(len, model.heads)))
    _fill(network, model.detector, model.name)
    return network.to(device).eval()


def _fill(network: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    try:
        network.load_state_dict(weights)
    except (KeyError, RuntimeError, TypeError, AttributeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{name}: its weights are not of its configuration ({reason})") from error
