"""The settings of evaluation: which figures are reported, and what result files declare."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from pipeline.configuration.sections.base import (
    NoResult,
    Positive,
    Real,
    Section,
    StandsFor,
    Whole,
    setting,
)
from pipeline.configuration.thresholds import parse_iou

Level = Annotated[Whole, Field(ge=0, le=5)]
ProposalCount = Annotated[Positive, Field(le=1_000_000)]  # a curve has a value for each
_Share = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
Thresholds = Annotated[
    tuple[float, ...],
    BeforeValidator(parse_iou),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, _Share, {"type": "array", "items": _Share, "minItems": 1}]}
    ),
]


class EvalSettings(Section):
    """Which figures are reported (TAdaConv: Section 6), and what the result file declares."""

    iou: Thresholds = setting(
        "tIoU thresholds of mAP: start:step:end with the end, or a list.",
        unit="tIoU",
        paper="TAdaConv 6",
        why="Use those of your benchmark. Low ones (0.1:0.1:0.5) suit short actions, whose boundaries are vague.",
    )
    proposals_at: Annotated[tuple[ProposalCount, ...], Field(min_length=1)] = setting(
        "Numbers of proposals per video at which average recall is reported.",
        default=(1, 5, 10, 50, 100),
        unit="proposals",
        why="Add the numbers that your benchmark reports. Numbers above `proposals.count` say nothing new.",
    )
    ties: Annotated[Literal["auto", "stable", "official"], StandsFor("auto", "stable")] = setting(
        "Order of equal scores: the earlier row first (`stable`), or as the sort of the "
        "`official` evaluators leaves them. `auto`: official for result files given to `score`, else stable.",
        default="auto",
        why="`official` to get an official evaluator's figure to the last digit; it may depend on the processor.",
    )
    ignore_labels: tuple[str, ...] = setting(
        "Labels that are no class, such as THUMOS14's Ambiguous: their segments are not trained "
        "on, and a detection that overlaps one is no false positive.",
        default=(),
        why="List labels that annotators used for what they could not decide.",
    )
    published: Annotated[dict[str, dict[str, Real]], NoResult()] = setting(
        "Published mAP of others on the data set, by a name that says whose and by tIoU, printed below ours.",
        default_factory=dict,
        unit="percent",
        why="Add figures that you want to see beside yours.",
    )
    paper: Annotated[dict[str, dict[str, Real]], NoResult()] = setting(
        "The paper's mAP, by task and tIoU, printed beside ours.",
        default_factory=dict,
        unit="percent",
        paper="TAdaConv Table 8",
        why="The shipped configurations have it; leave it out for your own data.",
    )
    paper_iou: Annotated[Thresholds | None, NoResult()] = setting(
        "tIoU thresholds that the paper's average is over.",
        default=None,
        unit="tIoU",
        paper="TAdaConv 6",
        why="Set it with `paper`: with other thresholds in `iou` the two averages are not comparable.",
    )
    paper_dataset: Annotated[str | None, NoResult()] = setting(
        "The benchmark that `paper` and `published` are figures of (hacs, ek100, thumos14, "
        "activitynet); they are shown for no other data set. null: `dataset.name`.",
        default=None,
        why="Set it if you give your data set another name and it still is that benchmark.",
    )
    sls: tuple[Level, Level, Level] = setting(
        "Supervision levels that a result file declares: sls_pt 2 is pretrained on public "
        "videos, sls_tl 3 has start, end and class labels, sls_td 3 is the training set.",
        default=(2, 3, 3),
        why="Set it before you submit a result file to the EPIC-KITCHENS challenge, so that it declares what you used.",
    )
