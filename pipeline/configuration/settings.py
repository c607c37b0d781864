"""The settings of a run: every key a configuration may hold, its type, its range and what it means.

The sections of the data set, of the backbone, of training and of detection are in files of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import model_validator

from pipeline.configuration.sections.actionformer import (
    ActionFormerSettings,
    DetectionsSettings,
)
from pipeline.configuration.sections.backbone import BackboneSettings
from pipeline.configuration.sections.base import (
    NoResult,
    OnlyWhere,
    Positive,
    Section,
    WholeFromZero,
    setting,
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
    """Clips and crops on which `eval-classifier` tests the classifier (TAdaConv: Section 5)."""

    clips: Positive = setting(
        "Clips of a segment.",
        default=10,
        unit="clips",
        paper="TAdaConv 5",
        why="Lower it, with `crops`, for a quick look; the time of `eval-classifier` grows with `clips` x `crops`.",
    )
    crops: Positive = setting(
        "Crops of a clip.",
        default=3,
        unit="crops",
        paper="TAdaConv 5",
        why="1 if what happens is in the middle of the picture, or for a quick look.",
    )
    short_side: Positive = setting(
        "Shorter side of a clip, and side of a crop.",
        default=256,
        unit="pixels",
        paper="TAdaConv 5",
        why="Keep it near the sizes of `finetune.short_side` and `finetune.crop`.",
    )


class DetectorSettings(Section):
    """Which head finds the actions in a video's features."""

    name: Literal["bmn", "actionformer"] = setting(
        "The head: `bmn` makes proposals, and `classify` names their classes; `actionformer` "
        "finds segments and their classes at once.",
        default="bmn",
        why="`tada-loc init` chooses `actionformer`; `bmn` is the head of the paper's protocols (docs/how-to/actionformer.md compares them).",
    )


class RuntimeSettings(Section):
    """Where and how a run works; none of it changes a result."""

    device: Annotated[str, NoResult()] = setting(
        "Where the networks run: `auto`, `cpu`, `cuda`, `cuda:1`, ...",
        default="auto",
        why="Set it to choose one of several GPUs, or `cpu` to leave a GPU to others. `auto` takes a GPU if there is one.",
    )
    workers: Annotated[WholeFromZero, NoResult()] = setting(
        "Processes that read videos. 0: the main process does.",
        default=2,
        unit="processes",
        why="Raise it, up to the number of cores, if the network waits for videos. Each takes memory.",
    )
    allow_failures: Annotated[WholeFromZero, NoResult()] = setting(
        "Number of videos that may fail before a stage refuses to go on.",
        default=0,
        unit="videos",
        why="Raise it to go on without videos that cannot be read. They are named, and their actions count as missed.",
    )
    skip: Annotated[Path | None, NoResult("videos")] = setting(
        "File with the ids of the videos to leave out, one per line.",
        default=None,
        why="Set it to go on without videos that you know to be bad.",
    )
    log: Annotated[tuple[Literal["csv", "tensorboard", "wandb"], ...], NoResult()] = setting(
        "Where trainings are shown besides `metrics.csv`, which is always written: `tensorboard`, `wandb`.",
        default=(),
        why="Add them to watch curves in a browser (docs/how-to/training.md).",
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
