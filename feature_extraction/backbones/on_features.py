"""A linear classifier on features that are there: what a network's head is, without the network."""

from __future__ import annotations

import torch
from torch import Tensor

from feature_extraction.backbones.resnet import Classes, Logits, VideoNetwork

_LEAST = 1e-6  # of a channel's spread, as a share of the largest: with less it says nothing


class FeatureClassifier(VideoNetwork):
    """Dropout and a linear classifier, or a verb and a noun one, on features [B, C] of any scale.

    Each channel is brought to mean 0 and standard deviation 1 of the features it is trained on
    (`fit_scale`); a channel that never changed there counts for nothing.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, feature_dim: int, num_classes: Classes, dropout: float = 0.0) -> None:
        super().__init__(feature_dim, num_classes, dropout)
        self.register_buffer("mean", torch.zeros(feature_dim))
        self.register_buffer("scale", torch.ones(feature_dim))

    def fit_scale(self, features: Tensor) -> None:
        """Take the mean and the standard deviation of the channels of features [n, C]."""
        values = features.double()
        spread = values.std(0, correction=0)
        inverse = 1 / spread.clamp_min(torch.finfo(torch.float64).tiny)
        used = spread > _LEAST * spread.max()
        self.mean.copy_(values.mean(0))
        self.scale.copy_(torch.where(used, inverse, torch.zeros_like(inverse)))

    def features(self, video: Tensor) -> Tensor:
        """Features [B, C] as they are."""
        return video

    def classify(self, features: Tensor) -> Logits:
        """Features [B, C] -> logits, or a (verb, noun) pair; dropout only while training."""
        return super().classify((features - self.mean) * self.scale)
