"""The settings of a run: every key a configuration may hold, its type and its range."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.configuration.sections import (
    Fraction,
    NonNegative,
    NoResult,
    Positive,
    PositiveFloat,
    Section,
    Share,
    StandsFor,
)
from pipeline.configuration.thresholds import parse_iou
from pipeline.configuration.training_settings import BMNSettings, FinetuneSettings
from pipeline.errors import UserError

Level = Annotated[int, Field(ge=0, le=5)]


class DatasetSettings(Section):
    """Which annotations and videos; paths are relative to the folder the command runs in.

    `hold_out` is the share of the training videos that choose the epoch to keep instead of training.
    """

    name: Annotated[str, NoResult()]
    format: Literal["table", "activitynet", "epic_kitchens", "kinetics", "something"]
    annotations: Annotated[tuple[Path, ...] | Path, NoResult()]
    videos: Annotated[Path, NoResult()]
    video_info: Annotated[Path | None, NoResult()] = None
    frame_fps: PositiveFloat | None = None
    classes: Annotated[tuple[Path, ...] | Path | None, NoResult()] = None
    train_subset: str = "training"
    eval_subset: str = "validation"
    hold_out: Share = 0.0


class BackboneSettings(Section):
    """The classifier's network (Sections 3 and 4, Appendix B; feature_extraction.build_backbone)."""

    name: str = "tada2d"
    depth: Positive | tuple[Positive, ...] = 50
    width: Positive = 64
    dropout: Share = 0.5
    reduction: Positive = 4
    kernels: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=2)] = (3, 3)
    global_context: bool | None = None
    calibrate: Literal["in", "out", "in_out", "kernel"] = "in"
    proportion: Annotated[float, Field(gt=0, le=1)] = 1.0
    tada_stages: tuple[Positive, ...] | None = None
    aggregation: Literal["none", "average", "maximum", "mixed"] | None = None
    pool_kernel: Positive = 3
    shortcut: bool = True
    separate_norms: bool = True
    mean: tuple[NonNegative, NonNegative, NonNegative] = (0.45, 0.45, 0.45)
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.225, 0.225, 0.225)
    pretrained: Annotated[str | None, NoResult()] = None


class ViewsSettings(Section):
    """What the classifier is tested on: clips of a segment, crops of a clip (Section 5)."""

    clips: Positive = 10
    crops: Positive = 3
    short_side: Positive = 256


class ExtractSettings(Section):
    """Sliding-window clip features (Appendix A.2); `crop`: the whole frame, or its central square."""

    fps: PositiveFloat
    frames: Positive = 8
    interval: Positive = 8
    stride: Positive
    short_side: Positive
    crop: Literal["whole", "center"] = "whole"
    batch_size: Annotated[Positive, NoResult()] = 4
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    decoder: Annotated[Literal["auto", "pyav", "decord"], StandsFor("auto", "pyav")] = "auto"
    allow_partial: Annotated[bool, NoResult()] = False


class ProposalSettings(Section):
    """Maps to proposals: score powers and soft-NMS (Appendix A.2; Lin et al. 2019).

    `boundary_power` 0 lets the boundary scores pick and not weigh (public code; the paper of BMN has 1).
    `voting`: each pick becomes the mean of the proposals with at least this tIoU to it, weighted by
    score x tIoU x (start x end probability)².
    """

    cls_power: NonNegative = 1.0
    reg_power: NonNegative = 1.0
    boundary_power: NonNegative = 0.0
    alpha: PositiveFloat = 0.4
    low: Fraction = 0.0
    high: Fraction = 0.0
    power: PositiveFloat = 2.0
    count: Positive | None = 100
    per_second: NonNegative = 0.0
    voting: Annotated[float, Field(gt=0, le=1)] | None = None


class ClassifySettings(Section):
    """Class scores of a video or of each proposal (Appendix A.2).

    `spread` places the positions: in the `middle` of equal parts of the proposal, from end to end
    (`over`), or so that their clips lie `inside` it.
    """

    mode: Literal["video", "proposal"]
    source: Literal["features", "video"] = "features"
    top: Positive = 2
    positions: Positive = 6
    spread: Literal["middle", "over", "inside"] = "middle"
    top_verbs: Positive = 10
    top_nouns: Positive = 30
    pairs: Positive = 5


class EvalSettings(Section):
    """Which numbers are reported (Section 6), and what the result file declares."""

    iou: Annotated[tuple[float, ...], BeforeValidator(parse_iou)]
    proposals_at: tuple[Positive, ...] = (1, 5, 10, 50, 100)
    paper: Annotated[dict[str, dict[str, float]], NoResult()] = Field(default_factory=dict)
    paper_iou: Annotated[
        Annotated[tuple[float, ...], BeforeValidator(parse_iou)] | None, NoResult()
    ] = None
    # sls_pt, sls_tl, sls_td: pre-trained on public videos; start, end and class labels; the training set.
    sls: tuple[Level, Level, Level] = (2, 3, 3)


class RuntimeSettings(Section):
    """Where and how it runs; never part of a fingerprint."""

    device: Annotated[str, NoResult()] = "auto"
    workers: Annotated[int, Field(ge=0), NoResult()] = 2
    allow_failures: Annotated[int, Field(ge=0), NoResult()] = 0
    skip: Annotated[Path | None, NoResult()] = None


class Config(Section):
    """One run, whole."""

    dataset: DatasetSettings
    backbone: BackboneSettings
    finetune: FinetuneSettings
    views: ViewsSettings = ViewsSettings()
    extract: ExtractSettings | None = None
    bmn: BMNSettings | None = None
    proposals: ProposalSettings | None = None
    classify: ClassifySettings | None = None
    eval: EvalSettings | None = None
    runtime: RuntimeSettings = RuntimeSettings()

    @model_validator(mode="after")
    def _sections_agree(self) -> Config:
        if self.bmn is None:
            return self
        if self.bmn.mode == "rescale" and self.bmn.duration_scale > self.bmn.temporal_scale:
            raise ValueError("bmn.duration_scale is larger than bmn.temporal_scale")
        return self

    def section(self, name: str) -> Section:
        """A section by its name. Raises UserError where the configuration does without it."""
        section: Section | None = getattr(self, name)
        if section is None:
            raise UserError(
                f"the configuration has no section {name}: it is for a classifier alone; take the "
                "section from one for detection (hacs, ek100) to go on"
            )
        return section

    def detection(self) -> DetectionConfig:
        """The same configuration, known to have every section.

        Raises UserError naming the first section it has not.
        """
        sections = {name: self.section(name) for name in Config.model_fields}
        return DetectionConfig.model_construct(self.model_fields_set, **sections)


class DetectionConfig(Config):
    """A configuration with every section, as the stages after fine-tuning need it."""

    extract: ExtractSettings
    bmn: BMNSettings
    proposals: ProposalSettings
    classify: ClassifySettings
    eval: EvalSettings
