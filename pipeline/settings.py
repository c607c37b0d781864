"""The settings of a run: every key a configuration may hold, its type and its range."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipeline.thresholds import parse_iou

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[int, Field(ge=0, le=5)]
Precision = Literal["float32", "bfloat16", "float16"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dataset(Section):
    """Which annotations and videos; paths are relative to the folder the command runs in."""

    name: str
    format: Literal["table", "activitynet", "epic_kitchens", "kinetics", "something"]
    annotations: tuple[Path, ...] | Path
    videos: Path
    video_info: Path | None = None
    frame_fps: PositiveFloat | None = None
    classes: tuple[Path, ...] | Path | None = None
    train_subset: str = "training"
    eval_subset: str = "validation"


class Backbone(Section):
    """The classifier's network (Sections 3 and 4, Appendix B; feature_extraction.build_backbone)."""

    name: str = "tada2d"
    depth: Positive | tuple[Positive, ...] = 50
    width: Positive = 64
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
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
    pretrained: str | None = None


class Optimisation(Section):
    """What fine-tuning and BMN share: optimiser, schedule and length of a training."""

    optimizer: Literal["sgd", "adamw", "adam"]
    base_lr: PositiveFloat
    base_batch: Positive | None = None
    batch_size: Positive
    epochs: Positive
    warmup_epochs: NonNegative = 0
    warmup_lr: NonNegative = 0
    weight_decay: NonNegative = 1e-4
    momentum: Fraction = 0.9
    grad_clip: PositiveFloat | None = None
    accumulate: Positive = 1
    average: Annotated[float, Field(gt=0, lt=1)] | None = None
    precision: Precision = "float32"
    seed: Annotated[int, Field(ge=0)] = 0
    checkpoint_seconds: PositiveFloat = 45

    @model_validator(mode="after")
    def _warms_up(self) -> Optimisation:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"{self.epochs} epochs with a warm-up of {self.warmup_epochs:g}: "
                "lower warmup_epochs below epochs too"
            )
        return self

    @property
    def batch_ratio(self) -> float:
        """The batch that runs over the batch the learning rates are stated for; they scale with it."""
        return self.batch_size / (self.base_batch or self.batch_size)


class Finetune(Optimisation):
    """Trimmed segments to a classifier (Appendix A)."""

    fps: PositiveFloat
    frames: Positive = 8
    interval: Positive = 8
    sampling: Literal["interval", "segments"] = "interval"
    short_side: tuple[Positive, Positive] = (256, 320)
    crop: Positive = 224
    eval_short_side: Positive = 256
    flip: Fraction = 0.5
    flip_swaps_sides: bool = False
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clips_per_segment: Positive = 1
    compile: bool = False
    recompute: bool = False

    @model_validator(mode="after")
    def _crop_fits(self) -> Finetune:
        smallest = min(*self.short_side, self.eval_short_side)
        if self.short_side[0] > self.short_side[1]:
            raise ValueError(f"short_side {list(self.short_side)}: the smaller comes first")
        if self.crop > smallest:
            raise ValueError(f"crop {self.crop} is larger than the smallest short side {smallest}")
        return self


class Views(Section):
    """What the classifier is tested on: clips of a segment, crops of a clip (Section 5)."""

    clips: Positive = 10
    crops: Positive = 3
    short_side: Positive = 256


class Extract(Section):
    """Sliding-window clip features (Appendix A.2)."""

    fps: PositiveFloat
    frames: Positive = 8
    interval: Positive = 8
    stride: Positive
    short_side: Positive
    batch_size: Positive = 4
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    decoder: Literal["auto", "pyav", "decord"] = "auto"


class BMN(Optimisation):
    """The boundary-matching network and its training (Lin et al. 2019; Appendix A.2)."""

    mode: Literal["windows", "rescale"]
    temporal_scale: Annotated[int, Field(gt=1)]
    duration_scale: Positive
    feature_step: Positive = 1
    window_step: Positive | None = None
    min_inside: Fraction = 0.999
    normalize: bool = False
    hidden_1d: Positive = 256
    hidden_2d: Positive = 128
    hidden_3d: Positive = 512
    num_samples: Annotated[int, Field(gt=1)] = 32
    samples_per_bin: Positive = 3
    boundary_ratio: NonNegative = 0.5
    groups: Positive = 4

    @model_validator(mode="after")
    def _groups_fit(self) -> BMN:
        if self.hidden_1d % self.groups:
            raise ValueError(f"hidden_1d {self.hidden_1d} is no multiple of groups {self.groups}")
        return self


class Proposals(Section):
    """Maps to proposals: score powers and soft-NMS (Appendix A.2; Lin et al. 2019)."""

    cls_power: NonNegative = 1.0
    reg_power: NonNegative = 1.0
    boundary_power: NonNegative = 1.0
    alpha: PositiveFloat = 0.4
    low: Fraction = 0.0
    high: Fraction = 0.0
    power: PositiveFloat = 2.0
    count: Positive | None = 100
    per_second: NonNegative = 0.0


class Classify(Section):
    """Class scores of a video or of each proposal (Appendix A.2)."""

    mode: Literal["video", "proposal"]
    source: Literal["features", "video"] = "features"
    top: Positive = 2
    positions: Positive = 6
    top_verbs: Positive = 10
    top_nouns: Positive = 30
    pairs: Positive = 5


class Eval(Section):
    """Which numbers are reported (Section 6), and what the result file declares."""

    iou: Annotated[tuple[float, ...], BeforeValidator(parse_iou)]
    proposals_at: tuple[Positive, ...] = (1, 5, 10, 50, 100)
    paper: dict[str, dict[str, float]] = Field(default_factory=dict)
    paper_iou: Annotated[tuple[float, ...], BeforeValidator(parse_iou)] | None = None
    # sls_pt, sls_tl, sls_td: pre-trained on public videos; start, end and class labels; the training set.
    sls: tuple[Level, Level, Level] = (2, 3, 3)


class Runtime(Section):
    """Where and how it runs; never part of a fingerprint."""

    device: str = "auto"
    workers: Annotated[int, Field(ge=0)] = 2
    allow_failures: Annotated[int, Field(ge=0)] = 0


class Config(Section):
    """One run, whole."""

    dataset: Dataset
    backbone: Backbone
    finetune: Finetune
    views: Views = Views()
    extract: Extract | None = None
    bmn: BMN | None = None
    proposals: Proposals | None = None
    classify: Classify | None = None
    eval: Eval | None = None
    runtime: Runtime = Runtime()

    @model_validator(mode="after")
    def _sections_agree(self) -> Config:
        if self.bmn is None:
            return self
        if self.bmn.mode == "rescale" and self.bmn.duration_scale > self.bmn.temporal_scale:
            raise ValueError("bmn.duration_scale is larger than bmn.temporal_scale")
        return self
