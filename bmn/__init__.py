"""Features to proposals: the boundary-matching network."""

from . import boundary_matching, losses, moves, nms, proposals, targets, voting, windows
from .errors import BMNError
from .losses import bmn_loss
from .model import BMN, BMNOutput, MovedOutput, load_public_checkpoint
from .moves import move_proposals
from .nms import soft_nms
from .proposals import decode_proposals
from .voting import vote, voting_weights
from .windows import fuse_windows

__all__ = [
    "BMN",
    "BMNError",
    "BMNOutput",
    "MovedOutput",
    "bmn_loss",
    "boundary_matching",
    "decode_proposals",
    "fuse_windows",
    "load_public_checkpoint",
    "losses",
    "move_proposals",
    "moves",
    "nms",
    "proposals",
    "soft_nms",
    "targets",
    "vote",
    "voting_weights",
    "voting",
    "windows",
]
