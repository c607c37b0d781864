"""Features to proposals: the boundary-matching network."""

from bmn import boundary_matching, losses, moves, nms, proposals, targets, voting, windows
from bmn.errors import BMNError
from bmn.losses import bmn_loss
from bmn.model import BMN, BMNOutput, MovedOutput, load_public_checkpoint
from bmn.moves import move_proposals
from bmn.nms import soft_nms
from bmn.proposals import decode_proposals, proposal_cells, proposal_scores
from bmn.voting import vote, voting_weights
from bmn.windows import fuse_windows

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
    "proposal_cells",
    "proposal_scores",
    "proposals",
    "soft_nms",
    "targets",
    "vote",
    "voting",
    "voting_weights",
    "windows",
]
