"""What each stage's outputs depend on: the fields its fingerprint is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.configuration.keys import result_fields
from pipeline.configuration.reading import Config
from pipeline.data.annotations import annotation_files
from pipeline.errors import UserError
from pipeline.run_folder.manifests import file_digest, input_fields, read_manifest

_SECTIONS = {
    "finetune": ("dataset", "backbone", "finetune"),
    "extract": ("extract",),
    "bmn": ("dataset", "bmn"),
    "bmn/proposals": ("proposals",),
    "classify": ("classify",),
    "eval": ("eval",),
    "eval-classifier": ("dataset", "views"),
}
IMPORTED = "imported"  # the field of the extract stage, and the backbone's name, of features from elsewhere
_DECODES = ("proposal", "video")  # classify's mode and source where it decodes clips itself
# What clips decoded at proposals depend on; the grid's stride and batches change none of them.
_DECODED = ("crop", "short_side", "fps", "frames", "interval", "precision")
# What the views of the classifier's own test depend on.
_VIEWED = ("fps", "frames", "interval", "sampling", "short_segments")
_READ_ANNOTATIONS = frozenset({"finetune", "bmn", "eval", "eval-classifier"})


def stage_fields(config: Config, run: Path, stage: str) -> dict[str, Any]:
    """The fields of a stage: its settings, its inputs' fingerprints, its input files' digests.

    Raises UserError where an input stage is not complete or a file cannot be read.
    """
    fields = input_fields(run, stage) | setting_fields(config, stage)
    if stage == "finetune" and config.backbone.pretrained:
        path = Path(config.backbone.pretrained)
        if config.backbone.pretrained != "imagenet" and not path.is_file():
            raise UserError(
                f"backbone.pretrained {path}: no such file; give a checkpoint, imagenet, or null"
            )
        name = file_digest(path) if path.is_file() else config.backbone.pretrained
        fields["file.pretrained weights"] = name
    if stage == "eval-classifier":
        fields |= viewed_otherwise(config, run)
    if stage in _READ_ANNOTATIONS:
        for role, file in annotation_files(config.dataset).items():
            fields[f"file.{role}"] = file_digest(file)
    return fields


def viewed_otherwise(config: Config, run: Path) -> dict[str, Any]:
    """The settings by which a classifier is shown other views than those it was trained on.

    None where they agree: what it was trained on is part of the field `input.finetune`.
    """
    trained = (read_manifest(run, "finetune") or {"fields": {}})["fields"]
    fields = result_fields("finetune", config.finetune)
    keys = [f"finetune.{name}" for name in _VIEWED]
    return {key: fields[key] for key in keys if trained.get(key) != fields[key]}


def require_detection(config: Config) -> None:
    """Refuse a configuration for a classifier alone. Raises UserError."""
    config.detection()


def setting_fields(config: Config, stage: str) -> dict[str, Any]:
    """The settings of a stage alone."""
    fields: dict[str, Any] = {}
    for section in _SECTIONS[stage]:
        fields |= result_fields(section, config.section(section))
    if stage == "bmn" and config.dataset.hold_out and config.finetune.seed != config.bmn.seed:
        fields["finetune.seed"] = config.finetune.seed  # it picks the videos held out
    if stage == "classify" and (config.classify.mode, config.classify.source) == _DECODES:
        shown = result_fields("extract", config.extract)
        fields |= {key: shown[key] for key in (f"extract.{name}" for name in _DECODED)}
    return fields


def is_imported(run: Path) -> bool:
    """Whether the run's features came from elsewhere (`tada-loc import-features`)."""
    return IMPORTED in (read_manifest(run, "extract") or {"fields": {}})["fields"]


def on_imported_grid(config: Config, run: Path) -> Config:
    """The configuration with the clip grid that imported features were stated to have, if there are such.

    No other grid can be read from them, so theirs holds whatever the configuration says.
    """
    if not is_imported(run):
        return config
    fields = read_manifest(run, "extract")["fields"]
    names = ("fps", "frames", "interval", "stride")
    grid = {name: fields[f"extract.{name}"] for name in names}
    return config.model_copy(update={"extract": config.extract.model_copy(update=grid)})
