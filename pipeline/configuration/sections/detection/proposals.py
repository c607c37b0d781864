"""The settings of how BMN's maps become proposals."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.configuration.sections.base import (
    Fraction,
    NonNegative,
    Positive,
    PositiveFloat,
    Real,
    Section,
    setting,
)


class ProposalSettings(Section):
    """How BMN's maps become proposals: scores and soft-NMS (TAdaConv: Appendix A.2)."""

    cls_power: NonNegative = setting(
        "Power of the classification map's value in a score.",
        default=1.0,
        paper="BMN",
        why="Raise it to trust this map more. `tada-loc sweep` tries values on a trained run.",
    )
    reg_power: NonNegative = setting(
        "Power of the regression map's value in a score.",
        default=1.0,
        paper="BMN",
        why="Raise it to trust this map more. Only its ratio to the other powers changes the order of proposals.",
    )
    boundary_power: NonNegative = setting(
        "Power of start x end probability in a score. With 0, as in public code, they pick "
        "proposals but do not weigh them; the paper of BMN has 1.",
        default=0.0,
        paper="BMN",
        why="Raise it if boundaries are clear in your videos; the score then prefers proposals with sharp ends.",
    )
    alpha: PositiveFloat = setting(
        "Width of soft-NMS: a proposal that overlaps a pick is multiplied by exp(-tIoU ** `power` / `alpha`).",
        default=0.4,
        paper="Soft-NMS",
        why="Lower it if one action is found many times, raise it if actions close together are lost.",
    )
    low: Fraction = setting(
        "tIoU above which soft-NMS acts, for a pick of no length; between `low` and `high` "
        "it follows the pick's share of the video.",
        default=0.0,
        unit="tIoU",
        why="Raise it to leave proposals that overlap little as they are.",
    )
    high: Fraction = setting(
        "tIoU above which soft-NMS acts, for a pick as long as the video.",
        default=0.0,
        unit="tIoU",
        why="Raise it above `low` to act less on long proposals than on short ones.",
    )
    power: PositiveFloat = setting(
        "Power of the tIoU in soft-NMS.",
        default=2.0,
        paper="Soft-NMS",
        why="Raise it to act on what overlaps nearly wholly and spare the rest.",
    )
    count: Positive | None = setting(
        "Most proposals of a video. null: all.",
        default=100,
        unit="proposals",
        why="Raise it for long videos with many actions: recall grows, and classification takes longer.",
    )
    per_second: NonNegative = setting(
        "Most proposals per second of a video, plus one. 0: no such limit.",
        default=0.0,
        unit="proposals per second",
        why="Set it if videos differ much in length, so that short ones do not get as many proposals as long ones.",
    )
    voting: Annotated[Real, Field(gt=0, le=1)] | None = setting(
        "Least tIoU of the proposals whose mean each pick becomes, weighted by score x "
        "tIoU x (start x end probability)². null: a pick stays where it is.",
        default=None,
        unit="tIoU",
        why="0.7 to 0.8 for finer boundaries, with `bmn.boundary_center: 0.5` (docs/how-to/boundaries.md).",
    )
