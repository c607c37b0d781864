"""What the initial weights of a training are known by, in a run whose folder of weights may be gone."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.configuration.settings import BackboneSettings
from pipeline.data.inputs import initial_identity
from pipeline.run_folder.manifests import read_manifest

FIELD = "content.pretrained weights"  # of fine-tuning


def initial_fields(backbone: BackboneSettings, run: Path) -> dict[str, str]:
    """The field of fine-tuning that says what its network begins with; none for random weights.

    If a Hugging Face folder is removed after the training is done, it is what the run recorded: all that
    comes after needs the folder no more. Raises UserError if the weights are not there otherwise.
    """
    known = _recorded(backbone, run) or initial_identity(backbone)
    return {} if known is None else {FIELD: known}


def _recorded(backbone: BackboneSettings, run: Path) -> str | None:
    published = backbone.of_others
    folder = None if published is None or backbone.pretrained is not None else published.folder
    if folder is None or os.path.lexists(folder):
        return None
    manifest = read_manifest(run / "finetune")
    known = manifest.fields.get(FIELD) if manifest is not None and manifest.complete else None
    return known if isinstance(known, str) else None
