"""Features to detections: the one-stage detector ActionFormer (Zhang, Wu and Li, ECCV 2022)."""

from actionformer import grids, losses, points, recipe, suppression, targets
from actionformer.decoding import Candidates, decode, fuse_class_scores
from actionformer.errors import ActionFormerError
from actionformer.losses import Losses, actionformer_loss
from actionformer.network import ActionFormer, Level, pad_batch
from actionformer.public import from_public_config, load_public_checkpoint
from actionformer.suppression import suppress, vote
from actionformer.targets import Targets, assign

__all__ = [
    "ActionFormer",
    "ActionFormerError",
    "Candidates",
    "Level",
    "Losses",
    "Targets",
    "actionformer_loss",
    "assign",
    "decode",
    "from_public_config",
    "fuse_class_scores",
    "grids",
    "load_public_checkpoint",
    "losses",
    "pad_batch",
    "points",
    "recipe",
    "suppress",
    "suppression",
    "targets",
    "vote",
]
