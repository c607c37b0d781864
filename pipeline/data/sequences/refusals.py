"""What is reported about segments that no position learns."""

from __future__ import annotations

from pipeline.errors import UserError


def nothing_learnt(segments: int) -> UserError:
    """The refusal of a training none of whose segments a position learns."""
    return UserError(
        f"actionformer: no position learns any of the {segments} training segments; set actionformer.ranges "
        "to the distances from their middles to their ends, in positions, or lower actionformer.feature_step"
    )
