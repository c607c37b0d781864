"""What processes settle about a step's batch once each has read its part: so it is that of one process."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from feature_extraction.transforms import center_crop
from pipeline.data.order import own_pieces
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.ranks import ranks


def with_clips_for_all(batch: dict[str, Any], pieces: int) -> dict[str, Any]:
    """The batch; where a process could read none of its clips, one of those that the others have read.

    A batch has names, pieces, and, unless it is empty, target [b, heads] and clip (b of them). Raises
    UserError if all have read fewer clips than there are processes.
    """
    if not distributed.any_rank(not batch["names"]):
        return batch
    parts = distributed.gather_values(batch)
    clips = sorted(
        (piece, rank, place)
        for rank, part in enumerate(parts)
        for place, piece in enumerate(part["pieces"])
    )
    if not clips:
        raise UserError("finetune: no clip of a whole batch could be read; fix the videos")
    if len(clips) < ranks().size:
        raise UserError(
            f"finetune: {len(clips)} clips of a batch could be read, too few for {ranks().size} processes; "
            "fix the videos, or start fewer processes"
        )
    own, numbers = own_pieces([(rank, place) for _, rank, place in clips], pieces)
    return {
        "names": [parts[rank]["names"][place] for rank, place in own],
        "target": torch.stack([parts[rank]["target"][place] for rank, place in own]),
        "clip": together([parts[rank]["clip"][place] for rank, place in own]),
        "pieces": numbers,
    }


def trimmed(clips: Tensor | list[Tensor]) -> Tensor:
    """Clips of nearly one shape cut at their edges to one: whole frames of videos of nearly one aspect.

    It is the shape of the narrowest of all processes.
    """
    own = [min(clip.shape[side] for clip in clips) for side in (-2, -1)]
    height, width = map(min, zip(*distributed.gather_values(own), strict=True))
    if isinstance(clips, Tensor):
        return center_crop(clips, height, width).contiguous()
    return torch.stack([center_crop(clip, height, width) for clip in clips])


def together(clips: list[Tensor]) -> Tensor | list[Tensor]:
    """Clips in one tensor, if they are of one shape."""
    return torch.stack(clips) if len({clip.shape for clip in clips}) == 1 else clips
