"""The linear classifier on features of a run: new, trained, and its accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from evaluation.classification import accuracies
from feature_extraction.backbones import FeatureClassifier
from pipeline.configuration.settings import Config
from pipeline.data.pooled.means import Pooled
from pipeline.errors import UserError
from pipeline.training.checkpoints import MODEL_FILE, load_weights, saved_weights
from pipeline.training.networks.classifier import class_probabilities

_AT_ONCE = 4096  # features that are classified together


def new_feature_classifier(
    config: Config, num_classes: int | tuple[int, int], train: Pooled
) -> FeatureClassifier:
    """A classifier with its initial weights, its scale that of the features it will be trained on."""
    torch.manual_seed(config.finetune.seed)
    channels = train.features.shape[1]
    model = FeatureClassifier(channels, num_classes, config.backbone.dropout)
    model.fit_scale(torch.from_numpy(train.features))
    return model


def load_feature_classifier(
    num_classes: int | tuple[int, int], run: Path, device: torch.device
) -> FeatureClassifier:
    """The run's classifier on features, in eval mode.

    Raises UserError if the file is damaged or holds no such classifier.
    """
    path = run / "finetune" / MODEL_FILE
    mean = saved_weights(path).get("mean")
    if mean is None or mean.ndim != 1 or not len(mean):
        raise UserError(
            f"{path}: holds no linear classifier on features (trained with finetune.source=features); run "
            "`tada-loc finetune`"
        )
    model = FeatureClassifier(len(mean), num_classes)
    load_weights(model, path)
    return model.to(device).eval()


def validate_features(model: nn.Module, pooled: Pooled, device: torch.device) -> dict[str, float]:
    """Accuracy in percent of each segment's mean feature: top-1 and top-5, or verb, noun and action.

    Every process looks at all of them.
    """
    network = model.get_submodule("network")
    assert isinstance(network, FeatureClassifier)
    parts = [
        class_probabilities(network, pooled.features[first : first + _AT_ONCE], device)
        for first in range(0, len(pooled), _AT_ONCE)
    ]
    heads = [np.concatenate(head) for head in zip(*parts, strict=True)]
    return accuracies(heads, pooled.segments.targets)
