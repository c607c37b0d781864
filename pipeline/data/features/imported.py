"""Whether a run's features came from elsewhere, the clip grid they are stated to have, and what names classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.configuration.settings import Config
from pipeline.data.features import IMPORTED
from pipeline.errors import UserError
from pipeline.run_folder.manifests import readable_manifest

# The clip grid of imported features; it is stated where they are imported.
GRID = ("fps", "frames", "interval", "stride", "offset_frames")


def is_imported(folder: Path) -> bool:
    """Whether the features of a stage's folder came from elsewhere (`tada-loc import-features`)."""
    return IMPORTED in _recorded(folder)


def has_own_rates(folder: Path) -> bool:
    """Whether the imported features of a folder have a rate of their own for each video."""
    return f"{IMPORTED}.rates" in _recorded(folder)


def on_imported_grid(config: Config, folder: Path) -> Config:
    """The configuration with the clip grid that the imported features of a folder were stated to have, if any.

    No other grid can be read from them, so theirs holds whatever the configuration says. Raises
    UserError if what was recorded of them is not a grid.
    """
    fields = _recorded(folder)
    if IMPORTED not in fields or config.extract is None:
        return config
    settings = config.extract.model_dump() | {n: fields.get(f"extract.{n}") for n in GRID}
    try:
        extract = type(config.extract).model_validate(settings)
    except ValueError as error:
        raise UserError(
            f"{folder}: its manifest names no clip grid of imported features; import them again (tada-loc import-features)"
        ) from error
    return config.model_copy(update={"extract": extract})


def require_imported(*, imported: bool) -> None:
    """Refuse to train on features that the training itself makes. Raises UserError."""
    if not imported:
        raise UserError(
            "finetune.source=features needs features made elsewhere, for this run's own are made by the network "
            "that finetune trains: import some first (`tada-loc import-features --from FOLDER`; another run's come out "
            "by `tada-loc export-features --to FOLDER`), or leave finetune.source=video"
        )


def _recorded(folder: Path) -> Mapping[str, Any]:
    """The fields that the folder of features records; none where there is no manifest that can be read."""
    manifest = readable_manifest(folder)
    return {} if manifest is None else manifest.fields
