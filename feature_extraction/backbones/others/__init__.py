"""Networks that others publish behind the `features` and `classify` of ours: one file a source.

Knows nothing of what their files say (feature_extraction/published does), and nothing of training.
"""

from feature_extraction.backbones.others.adapted import AdaptedNetwork
from feature_extraction.backbones.others.building import describe, published_backbone
from feature_extraction.backbones.others.loading import load_into_published

__all__ = [
    "AdaptedNetwork",
    "describe",
    "load_into_published",
    "published_backbone",
]
