"""The head that a configuration names, BMN or ActionFormer, with random weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from pipeline.configuration.settings import DetectionConfig
from pipeline.training.networks import actionformer, bmn


def build_head(config: DetectionConfig, channels: int, sizes: Sequence[int]) -> nn.Module:
    """The head for features of this many channels and class names of these `sizes`, one number a set of them.

    Raises UsageError for settings that do not fit these.
    """
    if config.detector.name == "bmn":
        return bmn.build_network(config.bmn, channels)
    own = sizes if config.names_own_classes else ()
    return actionformer.build_network(config.actionformer, channels, own)
