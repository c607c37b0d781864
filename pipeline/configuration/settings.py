"""The settings of a run: every key a configuration may hold, its type, its range and what it means.

The sections of the data set, of the backbone, of training and of detection are in files of their own.
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
from pipeline.configuration.sections.backbone import BackboneSettings
from pipeline.configuration.sections.base import (
    NoResult,
    OnlyWhere,
    Positive,
    Section,
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

__all__ = ["BackboneSettings", "Config", "DetectionConfig", "RuntimeSettings", "ViewsSettings"]


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
        default=0, description="How many videos may fail before a stage fails."
    )
    skip: Annotated[Path | None, NoResult()] = Field(
        default=None, description="File of the videos to leave out: their ids, one per line."
    )
    log: Annotated[tuple[Literal["csv", "tensorboard", "wandb"], ...], NoResult()] = Field(
        default=(),
        description="Where trainings are logged besides `metrics.csv`, which is always written: "
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
                f"{bmn.temporal_scale}: no proposal is longer than the network's input; lower duration_scale"
            )
        return self

    @property
    def ignored_labels(self) -> tuple[str, ...]:
        """The labels that are not a class; none where nothing is detected."""
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

        Raises UserError if the configuration does without it.
        """
        section: Section | None = getattr(self, name)
        if section is None and name in _AT_DEFAULTS and name not in self.lacking:
            section = _AT_DEFAULTS[name]
        if section is None:
            raise UserError(
                f"the configuration has no section {name}: it is for a classifier only; copy the "
                "section from one for detection (hacs, ek100)"
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
