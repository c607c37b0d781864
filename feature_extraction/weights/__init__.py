"""Weights of others: checkpoint files, the names in them, and where each tensor goes.

Knows nothing of the networks here but the names of their weights, and nothing of training.
"""

from feature_extraction.weights.files import CheckpointError, imagenet_state, read_checkpoint
from feature_extraction.weights.loading import (
    LoadReport,
    load_imagenet,
    load_public_checkpoint,
    require_imagenet_has_it,
    weights_digest,
)

__all__ = [
    "CheckpointError",
    "LoadReport",
    "imagenet_state",
    "load_imagenet",
    "load_public_checkpoint",
    "read_checkpoint",
    "require_imagenet_has_it",
    "weights_digest",
]
