"""What each stage's outputs depend on: the fields its fingerprint is made of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.configuration.keys import result_fields
from pipeline.configuration.settings import Config, DetectionConfig
from pipeline.data.annotations import annotation_files
from pipeline.data.features import IMPORTED
from pipeline.errors import UserError
from pipeline.plain_files import LARGEST_FILE, LARGEST_TEXT
from pipeline.run_folder.identity import file_digest, fingerprint
from pipeline.run_folder.manifests import is_complete, read_manifest
from pipeline.runs.graph import StageRow, in_order, maker, row

# Of what extraction depends on, what says nothing of a clip decoded at a proposal: there is no grid, and
# how it is computed is left free.
_NOT_DECODED = ("extract.stride", "extract.decoder", "extract.compile")
# What the views of the classifier's own test depend on.
_VIEWED = ("fps", "frames", "interval", "sampling", "short_segments")
# The clip grid of imported features; it is stated where they are imported.
GRID = ("fps", "frames", "interval", "stride")


def stage_fields(config: Config, folder: Path, stage: StageRow) -> dict[str, Any]:
    """The fields of a stage: its settings, its inputs' fingerprints, its input files' digests.

    `folder` is the run's. Raises UserError where an input stage is not complete or a file cannot be read.
    """
    fields: dict[str, Any] = input_fields(folder, stage)
    fields |= setting_fields(config, stage)
    if stage.name == "finetune" and config.backbone.pretrained:
        fields["file.pretrained weights"] = _weights_identity(config.backbone.pretrained)
    if stage.name == "eval-classifier":
        fields |= viewed_otherwise(config, folder)
    if stage.annotations is not None:
        for role, file in annotation_files(config.dataset).items():
            fields[f"file.{role}"] = file_digest(file, LARGEST_TEXT)
    return fields


def setting_fields(config: Config, stage: StageRow) -> dict[str, Any]:
    """The settings of a stage alone. Raises UserError where the configuration lacks a section."""
    fields: dict[str, Any] = {}
    for section in stage.settings:
        fields |= result_fields(section, config.section(section))
    if stage.name == "bmn" and config.dataset.hold_out:
        fields |= _held_out_by(config.detection())
    if stage.name == "classify":
        fields |= _decoded_at_proposals(config.detection())
    return fields


def _held_out_by(config: DetectionConfig) -> dict[str, Any]:
    """What picks the videos held out, where it is not `bmn.seed`."""
    seed = config.finetune.seed
    return {} if seed == config.bmn.seed else {"finetune.seed": seed}


def _decoded_at_proposals(config: DetectionConfig) -> dict[str, Any]:
    """What clips decoded at proposals look like, where they are decoded."""
    if (config.classify.mode, config.classify.source) != ("proposal", "video"):
        return {}
    fields = result_fields("extract", config.extract)
    return {key: value for key, value in fields.items() if key not in _NOT_DECODED}


def deciding_fields(config: Config) -> dict[str, Any]:
    """Every setting that decides a run's results."""
    fields: dict[str, Any] = {"backbone.pretrained": config.backbone.pretrained}
    for stage in in_order():
        fields |= setting_fields(config, stage)
    return fields


def input_fields(folder: Path, stage: StageRow) -> dict[str, Any]:
    """The fingerprints of a stage's inputs, as fields.

    Raises UserError naming the command that makes an input which is not there or not complete.
    """
    fields: dict[str, Any] = {}
    for source in stage.reads:
        manifest = read_manifest(folder / source)
        made_by = maker(source)
        if manifest is None or not is_complete(folder / source, made_by.outputs, manifest):
            state = "has not been done" if manifest is None else "is not complete"
            raise UserError(
                f"{folder}: stage {source} {state}; run `tada-loc {made_by.command}` first"
            )
        # What a stage had to leave out is part of what it made.
        left_out = manifest.get("summary", {}).get("left_out") or []
        fields[f"input.{source}"] = fingerprint(
            manifest["fields"] | ({"left_out": left_out} if left_out else {})
        )
    return fields


def viewed_otherwise(config: Config, folder: Path) -> dict[str, Any]:
    """The settings by which a classifier is shown other views than those it was trained on.

    None where they agree: what it was trained on is part of the field `input.finetune`.
    """
    trained = recorded_fields(folder, "finetune")
    asked = result_fields("finetune", config.finetune)
    fields = {f"finetune.{key}": asked[f"finetune.{key}"] for key in _VIEWED}
    return {key: value for key, value in fields.items() if trained.get(key) != value}


def recorded_fields(folder: Path, stage: str) -> dict[str, Any]:
    """The fields a stage's folder records; none where there is no manifest."""
    manifest = read_manifest(folder / stage)
    return {} if manifest is None else dict(manifest["fields"])


def is_imported(folder: Path) -> bool:
    """Whether a run's features came from elsewhere (`tada-loc import-features`)."""
    return IMPORTED in recorded_fields(folder, row("extract").folder)


def on_imported_grid(config: Config, folder: Path) -> Config:
    """The configuration with the clip grid that imported features were stated to have, if there are such.

    No other grid can be read from them, so theirs holds whatever the configuration says.
    """
    fields = recorded_fields(folder, row("extract").folder)
    if IMPORTED not in fields or config.extract is None:
        return config
    grid = {name: fields[f"extract.{name}"] for name in GRID}
    return config.model_copy(update={"extract": config.extract.model_copy(update=grid)})


def _weights_identity(weights: str) -> str:
    """What initial weights are known by: a file's digest, or the name of what is fetched."""
    path = Path(weights)
    if weights != "imagenet" and not os.path.lexists(path):
        raise UserError(
            f"backbone.pretrained {path}: no such file; give a checkpoint, imagenet, or null"
        )
    return file_digest(path, LARGEST_FILE) if weights != "imagenet" or path.is_file() else weights
