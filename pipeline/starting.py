"""`tada-loc init`: someone's own videos and table to a configuration that suits them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pipeline.advice import Entry, advice, configuration_text
from pipeline.artifacts import write_text
from pipeline.config import Dataset as DatasetSettings
from pipeline.config import load_config
from pipeline.errors import UserError
from pipeline.footage import Footage, look_at


def write_configuration(
    videos: Path,
    annotations: tuple[Path, ...],
    target: Path,
    *,
    kind: str = "auto",
    workers: int = 2,
    force: bool = False,
) -> str:
    """Look at the footage and write `target`; the lines a user is told.

    `kind` is cpu, gpu, or auto: a GPU where torch sees one. Raises UserError where `target` exists and
    `force` is not given, and for what is wrong with videos and annotations.
    """
    if target.exists() and not force:
        raise UserError(
            f"{target}: exists; name another with --to, or use --force to write it anew"
        )
    if kind == "auto":
        kind = "gpu" if torch.cuda.is_available() else "cpu"
    dataset = _dataset(videos, annotations)
    footage = look_at(DatasetSettings.model_validate(dataset), workers)
    sections: dict[str, list[Entry]] = {"dataset": [(k, v, "") for k, v in dataset.items()]}
    sections |= advice(footage, kind)
    text = configuration_text(_heading(footage, kind, target), sections)
    write_text(target, text)
    load_config(target)  # what is written is read again before anyone relies on it
    return _told(footage, target)


def _dataset(videos: Path, annotations: tuple[Path, ...]) -> dict[str, Any]:
    """The dataset section: a table, or ActivityNet's JSON, by the files' ending."""
    if not videos.is_dir():
        raise UserError(f"{videos}: no such folder of videos")
    kinds = {path.suffix.lower() == ".json" for path in annotations}
    if len(kinds) > 1:
        raise UserError("annotations: give CSV tables or JSON files, not both")
    files = [str(path) for path in annotations]
    return {
        "name": "own",
        "format": "activitynet" if kinds == {True} else "table",
        "annotations": files[0] if len(files) == 1 else files,
        "videos": str(videos),
    }


def _heading(footage: Footage, kind: str, target: Path) -> str:
    return (
        f"{footage.videos} videos of {_minutes(footage.seconds)}, {footage.segments} segments of "
        f"{footage.classes} classes, for a {kind.upper()}; written by tada-loc init.\n\n"
        f"  tada-loc doctor --config {target.name}\n"
        f"  tada-loc run --config {target.name}"
    )


def _told(footage: Footage, target: Path) -> str:
    lines = [
        f"{target}: written for {footage.videos} videos of {_minutes(footage.seconds)} and "
        f"{footage.segments} segments of {footage.classes} classes",
        f"next: tada-loc doctor --config {target}, then tada-loc run --config {target}",
    ]
    return "\n".join(lines)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.3g} minutes" if seconds < 7200 else f"{seconds / 3600:.3g} hours"
