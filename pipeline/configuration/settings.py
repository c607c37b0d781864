"""The settings of a run: every key a configuration may hold, its type, its range and what it means.

The sections of the data set, of training and of detection are in files of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.configuration.sections.actionformer import (
    ActionFormerSettings,
    DetectionsSettings,
    DetectorSettings,
)
from pipeline.configuration.sections.base import (
    Flag,
    NonNegative,
    NoResult,
    OnlyWhere,
    Positive,
    PositiveFloat,
    Real,
    Section,
    Share,
    WholeFromZero,
)
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.detection import (
    ClassifySettings,
    EvalSettings,
    ExtractSettings,
    ProposalSettings,
)
from pipeline.configuration.sections.training import (
    BMNSettings,
    FinetuneSettings,
)
from pipeline.errors import UserError


class BackboneSettings(Section):
    """The classifier's network (Sections 3 and 4, Appendix B; feature_extraction.build_backbone)."""

    name: str = Field(default="tada2d", description="Name of the network (docs/tadaconv.md).")
    depth: Positive | tuple[Positive, ...] = Field(
        default=50, description="Depth of the ResNet in layers, or the blocks of each stage."
    )
    width: Positive = Field(default=64, description="Channels of the stem.")
    dropout: Share = Field(
        default=0.5, description="Probability that a feature is dropped before the head."
    )
    reduction: Positive = Field(
        default=4,
        description="Ratio r by which the calibration of TAdaConv has fewer channels (Eq. 4).",
    )
    kernels: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=2)] = Field(
        default=(3, 3),
        description="Lengths of the calibration's convolutions, in frames; one length is the linear "
        "form (Table 3a).",
    )
    global_context: Flag | None = Field(
        default=None,
        description="Whether the clip's descriptor is added (Eq. 5). null: as in the paper's network.",
    )
    calibrate: Literal["in", "out", "in_out", "kernel"] = Field(
        default="in",
        description="What gets a factor a frame: input channels, output channels, both, or the taps of "
        "the kernel (Table 4).",
    )
    proportion: Annotated[Real, Field(gt=0, le=1)] = Field(
        default=1.0, description="Share of the channels that are calibrated (Fig. 3)."
    )
    tada_stages: tuple[Positive, ...] | None = Field(
        default=None,
        description="Which stages, of 2 to 5, have TAdaConv (Fig. 3). null: all.",
    )
    aggregation: Literal["none", "average", "maximum", "mixed"] | None = Field(
        default=None,
        description="Pooling over time after TAdaConv (Table 3b). null: as in the paper's network.",
    )
    pool_kernel: Positive = Field(
        default=3, description="Length of that pooling, in frames; an odd number."
    )
    shortcut: Flag = Field(
        default=True, description="Whether the pooling is added to what it pools (Table 3b)."
    )
    separate_norms: Flag = Field(
        default=True, description="Whether both have a batch norm of their own (Table 3b)."
    )
    mean: tuple[NonNegative, NonNegative, NonNegative] = Field(
        default=(0.45, 0.45, 0.45),
        description="Mean of red, green and blue, in shares of the brightest.",
    )
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        default=(0.225, 0.225, 0.225),
        description="Standard deviation of red, green and blue, in shares of the brightest.",
    )
    pretrained: Annotated[str | None, NoResult()] = Field(
        default=None,
        description="Initial weights: a checkpoint file or `imagenet`. null: random ones.",
    )


class ViewsSettings(Section):
    """What the classifier is tested on (Section 5)."""

    clips: Positive = Field(default=10, description="Clips of a segment.")
    crops: Positive = Field(default=3, description="Crops of a clip.")
    short_side: Positive = Field(
        default=256, description="Shorter side of a clip, and side of a crop, in pixels."
    )


class RuntimeSettings(Section):
    """Where and how it runs; never part of a fingerprint."""

    device: Annotated[str, NoResult()] = Field(
        default="auto", description="Where the networks run: `auto`, `cpu`, `cuda`, `cuda:1`, ..."
    )
    workers: Annotated[WholeFromZero, NoResult()] = Field(
        default=2, description="Processes that read videos. 0: the main process does."
    )
    allow_failures: Annotated[WholeFromZero, NoResult()] = Field(
        default=0, description="How many videos may fail before a stage refuses to go on."
    )
    skip: Annotated[Path | None, NoResult()] = Field(
        default=None, description="File of the videos to leave out: their ids, one a line."
    )
    log: Annotated[tuple[Literal["csv", "tensorboard", "wandb"], ...], NoResult()] = Field(
        default=(),
        description="Who is told of trainings besides `metrics.csv`, which is always written: "
        "`tensorboard`, `wandb`.",
    )


class Config(Section):
    """One run, whole; a configuration for a classifier alone does without some sections."""

    dataset: DatasetSettings
    backbone: Annotated[BackboneSettings, OnlyWhere("finetune.source", "video")]
    finetune: FinetuneSettings
    views: ViewsSettings = ViewsSettings()
    extract: ExtractSettings | None = None
    detector: DetectorSettings = DetectorSettings()
    bmn: BMNSettings | None = None
    proposals: ProposalSettings | None = None
    actionformer: ActionFormerSettings | None = None
    detections: DetectionsSettings | None = None
    classify: ClassifySettings | None = None
    eval: EvalSettings | None = None
    runtime: RuntimeSettings = RuntimeSettings()

    @model_validator(mode="after")
    def _sections_agree(self) -> Config:
        bmn = self.bmn
        if bmn is not None and bmn.duration_scale > bmn.temporal_scale:
            raise ValueError(
                f"bmn.duration_scale {bmn.duration_scale} is larger than bmn.temporal_scale "
                f"{bmn.temporal_scale}: no proposal is longer than what the network sees"
            )
        return self

    @property
    def ignored_labels(self) -> tuple[str, ...]:
        """The labels that are no class; none where nothing is detected."""
        return self.eval.ignore_labels if self.eval is not None else ()

    @property
    def names_own_classes(self) -> bool:
        """Whether the head names the classes of what it finds, and no `classify` does."""
        own = self.actionformer is None or self.actionformer.classes == "own"
        return self.detector.name == "actionformer" and own

    @property
    def head_sections(self) -> tuple[str, ...]:
        """The sections that say what its head is, what it finds, and which classes that has."""
        own = _OF_HEAD[self.detector.name]
        return own if self.names_own_classes else (*own, "classify")

    @property
    def lacking(self) -> list[str]:
        """The sections that detection with its head needs and the configuration has not."""
        return [name for name in _NEEDED[self.detector.name] if getattr(self, name) is None]

    def section(self, name: str) -> Section:
        """A section by its name; of a head that is not the configuration's, and of ActionFormer, one at its defaults.

        Raises UserError where the configuration does without it.
        """
        section: Section | None = getattr(self, name)
        if section is None and name in _AT_DEFAULTS and name not in self.lacking:
            section = _AT_DEFAULTS[name]
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
    actionformer: ActionFormerSettings
    detections: DetectionsSettings
    classify: ClassifySettings
    eval: EvalSettings


_OF_HEAD = {"bmn": ("bmn", "proposals"), "actionformer": ("actionformer", "detections")}
# What a head needs to be set; the sections of the other head are never read.
_NEEDED = {
    "bmn": ("extract", "bmn", "proposals", "classify", "eval"),
    "actionformer": ("extract", "eval"),
}
_AT_DEFAULTS: dict[str, Section] = {
    "bmn": BMNSettings(
        mode="windows",
        temporal_scale=100,
        duration_scale=100,
        optimizer="adam",
        base_lr=1e-3,
        batch_size=16,
        epochs=10,
    ),
    "proposals": ProposalSettings(),
    "actionformer": ActionFormerSettings(),
    "detections": DetectionsSettings(),
    "classify": ClassifySettings(mode="proposal"),
}
