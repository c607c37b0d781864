"""Features to detections: the one-stage detector ActionFormer (Zhang, Wu and Li, ECCV 2022)."""

from actionformer.errors import ActionFormerError
from actionformer.network import ActionFormer, Level, pad_batch
from actionformer.public import from_public_config, load_public_checkpoint

__all__ = [
    "ActionFormer",
    "ActionFormerError",
    "Level",
    "from_public_config",
    "load_public_checkpoint",
    "pad_batch",
]
