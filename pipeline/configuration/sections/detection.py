"""The settings of extraction, proposals, classification and evaluation; BMN's are with the trainings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.configuration.sections.base import (
    Flag,
    Fraction,
    NonNegative,
    NoResult,
    OnlyWhere,
    Positive,
    PositiveFloat,
    Rate,
    Real,
    RecordedLater,
    Section,
    StandsFor,
    Whole,
)
from pipeline.configuration.sections.urls import Place
from pipeline.configuration.thresholds import parse_iou

Level = Annotated[Whole, Field(ge=0, le=5)]
ProposalCount = Annotated[Positive, Field(le=1_000_000)]  # a curve has a value for each
_Own = OnlyWhere("scores", None)  # a key about the run's own classifier
Thresholds = Annotated[tuple[float, ...], BeforeValidator(parse_iou)]


class ExtractSettings(Section):
    """Sliding-window clip features (Appendix A.2)."""

    fps: Rate = Field(
        description="Frames a second that clips are counted in, whatever a video has."
    )
    frames: Positive = Field(default=8, description="Frames of a clip.")
    interval: Positive = Field(
        default=8, description="Frames, at `fps`, from one frame of a clip to the next."
    )
    stride: Positive = Field(description="Frames, at `fps`, from one clip to the next.")
    offset_frames: NonNegative | None = Field(
        default=None,
        description="Frame, at `fps`, on which the first clip is centred. null: the middle of its cell, "
        "`stride` / 2.",
    )
    short_side: Positive = Field(description="Shorter side of a frame, in pixels.")
    crop: Literal["whole", "center"] | Positive = Field(
        default="whole",
        description="What the network sees: the `whole` frame, its central square (`center`), or a smaller square "
        "at its centre (its side in pixels).",
    )
    batch_size: Annotated[Positive, RecordedLater()] = Field(
        default=4,
        description="Clips that go through the network at once. Another number rounds features otherwise.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Number format of the network."
    )
    compile: Flag = Field(
        default=False, description="Whether the network is compiled (torch.compile)."
    )
    decoder: Annotated[Literal["auto", "pyav", "decord", "nvdec"], StandsFor("auto", "pyav")] = (
        Field(
            default="auto",
            description="What decodes videos; `auto` is `pyav`. `nvdec`: the GPU that the network is on.",
        )
    )
    allow_partial: Annotated[Flag, NoResult()] = Field(
        default=False,
        description="Whether a video that breaks off or is damaged in places is taken as far as it "
        "decodes.",
    )

    @model_validator(mode="after")
    def _crop_fits(self) -> ExtractSettings:
        if not isinstance(self.crop, str) and self.crop > self.short_side:
            raise ValueError(f"crop {self.crop} is larger than the short side {self.short_side}")
        return self


class ProposalSettings(Section):
    """Maps to proposals: score powers and soft-NMS (Appendix A.2; Lin et al. 2019)."""

    cls_power: NonNegative = Field(
        default=1.0, description="Power of the classification map's value in a score."
    )
    reg_power: NonNegative = Field(
        default=1.0, description="Power of the regression map's value in a score."
    )
    boundary_power: NonNegative = Field(
        default=0.0,
        description="Power of start x end probability in a score. With 0, as in public code, they pick "
        "proposals and do not weigh them; the paper of BMN has 1.",
    )
    alpha: PositiveFloat = Field(
        default=0.4,
        description="Width of soft-NMS: a proposal that overlaps a pick is multiplied by "
        "exp(-tIoU ** `power` / `alpha`).",
    )
    low: Fraction = Field(
        default=0.0,
        description="tIoU above which soft-NMS acts, for a pick of no length; between `low` and `high` "
        "it follows the pick's share of the video.",
    )
    high: Fraction = Field(
        default=0.0,
        description="tIoU above which soft-NMS acts, for a pick as long as the video.",
    )
    power: PositiveFloat = Field(default=2.0, description="Power of the tIoU in soft-NMS.")
    count: Positive | None = Field(
        default=100, description="Proposals of a video at most. null: all."
    )
    per_second: NonNegative = Field(
        default=0.0,
        description="Proposals for each second of a video at most, and one more. 0: no such limit.",
    )
    voting: Annotated[Real, Field(gt=0, le=1)] | None = Field(
        default=None,
        description="Least tIoU of the proposals whose mean each pick becomes, weighted by score x "
        "tIoU x (start x end probability)². null: a pick stays where it is.",
    )


class ClassifySettings(Section):
    """Class scores of a video or of each proposal (Appendix A.2)."""

    scores: Annotated[Place | None, NoResult()] = Field(
        default=None,
        description="File with class scores of the videos, made elsewhere; every proposal gets the `top` classes "
        "of its video. null: the run's own classifier names the classes.",
    )
    mode: Annotated[Literal["video", "proposal"], _Own] = Field(
        description="What gets class scores: the whole `video`, or each `proposal`."
    )
    source: Annotated[Literal["features", "video"], _Own] = Field(
        default="features",
        description="What a proposal is classified on: the stored `features`, or clips decoded at its "
        "positions (`video`).",
    )
    top: Positive = Field(
        default=2, description="Classes that each proposal gets, where a segment has one label."
    )
    positions: Annotated[Positive, _Own] = Field(
        default=6, description="How many positions of a proposal are classified."
    )
    spread: Annotated[Literal["middle", "over", "inside"], _Own] = Field(
        default="middle",
        description="Where the positions lie: in the `middle` of equal parts of the proposal, from end "
        "to end (`over`), or so that their clips lie `inside` it.",
    )
    top_verbs: Positive = Field(
        default=10, description="Verbs of a proposal that pairs are made of (EPIC-KITCHENS)."
    )
    top_nouns: Positive = Field(
        default=30, description="Nouns of a proposal that pairs are made of (EPIC-KITCHENS)."
    )
    pairs: Positive = Field(
        default=5, description="Pairs of verb and noun that each proposal gets (EPIC-KITCHENS)."
    )

    @property
    def decodes(self) -> bool:
        """Whether clips are decoded at the proposals, and neither stored features nor given scores are taken."""
        return self.scores is None and (self.mode, self.source) == ("proposal", "video")


class EvalSettings(Section):
    """Which numbers are reported (Section 6), and what the result file declares."""

    iou: Thresholds = Field(
        description="tIoU thresholds of mAP: start:step:end with the end, or a list."
    )
    proposals_at: Annotated[tuple[ProposalCount, ...], Field(min_length=1)] = Field(
        default=(1, 5, 10, 50, 100),
        description="Numbers of proposals a video at which average recall is reported.",
    )
    ties: Annotated[Literal["auto", "stable", "official"], StandsFor("auto", "stable")] = Field(
        default="auto",
        description="Order of equal scores: the earlier row first (`stable`), or as the sort of the "
        "`official` evaluators leaves them. `auto`: official for result files given to `score`.",
    )
    ignore_labels: tuple[str, ...] = Field(
        default=(),
        description="Labels that are no class, as THUMOS14's Ambiguous: their segments are not trained "
        "on, and a detection that overlaps one is no false positive.",
    )
    published: Annotated[dict[str, dict[str, Real]], NoResult()] = Field(
        default_factory=dict,
        description="Published mAP in percent of others on the data set, by a name that says whose and "
        "tIoU, printed below ours.",
    )
    paper: Annotated[dict[str, dict[str, Real]], NoResult()] = Field(
        default_factory=dict,
        description="The paper's mAP in percent, by task and tIoU, printed beside ours.",
    )
    paper_iou: Annotated[Thresholds | None, NoResult()] = Field(
        default=None, description="tIoU thresholds that the paper's average is over."
    )
    paper_dataset: Annotated[str | None, NoResult()] = Field(
        default=None,
        description="The benchmark that `paper` and `published` are figures of (hacs, ek100, thumos14, "
        "activitynet); they are shown on no other data set. null: `dataset.name`.",
    )
    sls: tuple[Level, Level, Level] = Field(
        default=(2, 3, 3),
        description="Supervision levels that a result file declares: sls_pt 2 is pretrained on public "
        "videos, sls_tl 3 has start, end and class labels, sls_td 3 is the training set.",
    )
