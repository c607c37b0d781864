"""The settings of how ActionFormer's output becomes detections."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.configuration.sections.base import (
    Flag,
    Fraction,
    NonNegative,
    Positive,
    PositiveFloat,
    Real,
    Section,
    setting,
)


class DetectionsSettings(Section):
    """How ActionFormer's output becomes detections: candidates, soft-NMS, voting."""

    score_threshold: Fraction = setting(
        "Score that a candidate must be above.",
        default=0.001,
        why="Raise it for fewer candidates and speed; mAP counts low scores too, so that it can only fall.",
    )
    top: Positive = setting(
        "Most candidates of each level of the pyramid, before NMS.",
        default=2000,
        unit="candidates",
        why="Raise it for long videos with many actions, lower it for speed.",
    )
    min_duration: NonNegative = setting(
        "Length that a candidate must be above.",
        default=0.05,
        unit="positions",
        why="Raise it if very short detections are never right.",
    )
    nms: Literal["soft", "hard"] = setting(
        "Whether what overlaps a pick loses score (`soft`) or is left out (`hard`).",
        default="soft",
        paper="Soft-NMS",
        why="`hard` for few detections that people look at; `soft` usually gives the higher mAP.",
    )
    sigma: PositiveFloat = setting(
        "Width of soft-NMS: a candidate that overlaps a pick is multiplied by exp(-tIoU ** 2 / `sigma`).",
        default=0.5,
        paper="Soft-NMS",
        why="Lower it if one action is found many times, raise it if actions close together are lost.",
    )
    iou: Fraction = setting(
        "tIoU with a pick above which hard NMS leaves a candidate out.",
        default=0.1,
        unit="tIoU",
        why="Raise it if actions of a class overlap. Only `nms: hard` uses it.",
    )
    min_score: Fraction = setting(
        "Score below which NMS leaves a candidate out.",
        default=0.001,
        why="Lower it if fewer than `count` detections are left and recall matters.",
    )
    count: Positive = setting(
        "Most detections of a video.",
        default=200,
        unit="detections",
        why="Raise it for long videos with many actions and for many classes.",
    )
    per_class: Flag = setting(
        "Whether NMS works on each class alone, or on all together.",
        default=True,
        why="`false` if only one class can happen at a time; `voting` needs it.",
    )
    voting: Annotated[Real, Field(gt=0, le=1)] | None = setting(
        "Least tIoU of the candidates whose mean each pick becomes, weighted by score x tIoU; with "
        "`per_class: false`. null: a pick stays where it is.",
        default=None,
        unit="tIoU",
        why="0.7 to 0.9 for finer boundaries. `tada-loc sweep` tries values on a trained run.",
    )
    top_verbs: Positive = setting(
        "Verbs of a position from which pairs are made (EPIC-KITCHENS).",
        default=10,
        unit="verbs",
        why="Raise it with `pairs`, to consider less likely actions.",
    )
    top_nouns: Positive = setting(
        "Nouns of a position from which pairs are made (EPIC-KITCHENS).",
        default=30,
        unit="nouns",
        why="Raise it with `pairs`, to consider less likely actions.",
    )
    pairs: Positive = setting(
        "Pairs of verb and noun that each position gets (EPIC-KITCHENS).",
        default=5,
        unit="pairs",
        why="Raise it if the right action is often not among the best; each adds candidates, most of them wrong.",
    )

    @model_validator(mode="after")
    def _votes_over_all(self) -> DetectionsSettings:
        if self.voting is not None and self.per_class:
            raise ValueError(
                "voting is over candidates of all classes: set per_class: false, or voting: null"
            )
        return self
