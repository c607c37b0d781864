"""What an older program recorded of a stage: its inputs by whole files and by the settings they were made with.

A folder it made is current where it would record the same today. Opened for work, it is recorded again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.configuration.keys import result_fields
from pipeline.configuration.settings import Config
from pipeline.data.annotations import annotation_files
from pipeline.data.inputs import weights_identity
from pipeline.run_folder.identity import file_digest, fingerprint
from pipeline.run_folder.manifests import FORM, Manifest, read_manifest
from pipeline.runs.graph import VIEWED, StageRow
from pipeline.runs.inputs.fields import setting_fields

_FINETUNE = "finetune"
# The folders whose settings stood for what was read of them.
_READS = {
    "extract": ("finetune",),
    "bmn": ("extract",),
    "proposals": ("bmn",),
    "classify": ("finetune", "bmn/proposals"),
    "eval": ("classify",),
    "eval-classifier": ("finetune",),
}


def former_fields(config: Config, folder: Path, stage: StageRow) -> dict[str, Any]:
    """The fields of a stage as they were recorded once; `folder` is the run's.

    Raises UserError if a file cannot be read.
    """
    fields: dict[str, Any] = {}
    for source in _READS.get(stage.name, ()):
        manifest = read_manifest(folder / source)
        fields[f"input.{source}"] = "" if manifest is None else _former_fingerprint(manifest)
    fields |= setting_fields(config, stage)
    if stage.name == _FINETUNE and config.backbone.pretrained:
        fields["file.pretrained weights"] = weights_identity(config.backbone.pretrained)
    if stage.name == "eval-classifier":
        fields |= _viewed_otherwise(config, folder)
    if stage.annotations is not None:
        for role, file in annotation_files(config.dataset).items():
            fields[f"file.{role}"] = file_digest(file)
    return fields


def former_of(manifest: Manifest) -> dict[str, Any] | None:
    """The fields an older program recorded, None if this one made the stage."""
    return manifest.fields if manifest.form < FORM else manifest.former


def _former_fingerprint(manifest: Manifest) -> str:
    fields = former_of(manifest)
    if fields is None:
        return ""
    left_out = manifest.summary.get("left_out") or []
    return fingerprint(fields | ({"left_out": left_out} if left_out else {}))


def _viewed_otherwise(config: Config, folder: Path) -> dict[str, Any]:
    """The settings by which a classifier is shown other views than those it was trained on."""
    manifest = read_manifest(folder / _FINETUNE)
    trained = {} if manifest is None else former_of(manifest) or {}
    asked = result_fields(_FINETUNE, config.finetune)
    fields = {f"finetune.{key}": asked[f"finetune.{key}"] for key in VIEWED}
    return {key: value for key, value in fields.items() if trained.get(key) != value}
