"""Networks that turn clips [B, 3, T, H, W] into features and class scores, by name.

Knows nothing of videos' files, of weights' files, and of training.
"""

from feature_extraction.backbones.building import BACKBONES, build_backbone
from feature_extraction.backbones.folding import fold_for_inference
from feature_extraction.backbones.inference import InferenceNetwork, for_inference
from feature_extraction.backbones.on_features import FeatureClassifier
from feature_extraction.backbones.resnet import VideoNetwork, VideoResNet
from feature_extraction.backbones.slowfast import SlowFast

__all__ = [
    "BACKBONES",
    "FeatureClassifier",
    "InferenceNetwork",
    "SlowFast",
    "VideoNetwork",
    "VideoResNet",
    "build_backbone",
    "fold_for_inference",
    "for_inference",
]
