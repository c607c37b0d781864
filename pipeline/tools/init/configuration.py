"""`tada-loc init`: a user's own videos and table to a configuration that suits them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from feature_extraction.frame_names import parse_pattern
from pipeline.configuration.reading import read_config
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.urls import Url
from pipeline.data.annotations.formats import expanded, format_of, may_be_annotations
from pipeline.data.remote.copies import local_paths
from pipeline.data.videos.finding import is_folder
from pipeline.errors import UsageError, UserError
from pipeline.printing import printable
from pipeline.run_folder.files import require_free, write_text
from pipeline.tools.init.advice import advice, configuration_text
from pipeline.tools.init.footage import Footage, look_at
from pipeline.tools.init.heads import Entry


def write_configuration(
    dataset: Mapping[str, Any],
    target: Path,
    *,
    kind: str = "auto",
    workers: int = 2,
    force: bool = False,
) -> str:
    """Look at the footage and write `target`; returns the lines to print.

    `dataset` is its dataset section, as `dataset_section` gives it.
    `kind` is cpu, gpu, or auto: a GPU where torch sees one. Raises UserError if `target` exists and
    `force` is not given, and for what is wrong with videos and annotations.
    """
    require_free(target, force=force)
    if kind == "auto":
        kind = "gpu" if torch.cuda.is_available() else "cpu"
    footage = look_at(DatasetSettings.model_validate(dataset), workers)
    sections: dict[str, list[Entry]] = {"dataset": [(k, v, "") for k, v in dataset.items()]}
    sections |= advice(footage, kind)
    text = configuration_text(_heading(footage, kind, target), sections)
    read_config(text, target)  # before an older file is overwritten
    write_text(target, text)
    return _told(footage, target)


def dataset_section(
    videos: Path | Url,
    annotations: tuple[Path | Url, ...],
    *,
    frame_fps: float | None = None,
    annotation_fps: float | None = None,
    frames: str | None = None,
    train_subset: str | None = None,
    eval_subset: str | None = None,
    allow_beyond: float | None = None,
) -> dict[str, Any]:
    """The dataset section, with the annotation format detected from the files; keys that are None left out.

    Raises UserError if there is no such folder, and for files and rates it cannot take.
    """
    if not is_folder(videos):
        raise UserError(f"{videos}: no such folder of videos")
    for option, rate in (("--frame-fps", frame_fps), ("--annotation-fps", annotation_fps)):
        if rate is not None and not 0 < rate < math.inf:
            raise UsageError(f"{option} {rate:g}: give a number of frames per second above 0")
    if frames is not None:
        try:
            parse_pattern(frames)
        except ValueError as error:
            raise UsageError(f"--frames: {error}") from error
    files = [str(path) for path in annotations]
    section = {
        "name": "own",
        "format": "auto",
        "annotations": files[0] if len(files) == 1 else files,
        "videos": str(videos),
        "annotation_fps": annotation_fps,
        "frame_fps": frame_fps,
        "frames": frames,
        "train_subset": train_subset,
        "eval_subset": eval_subset,
        "allow_beyond": allow_beyond,
    }
    section = {key: value for key, value in section.items() if value is not None}
    return section | {"format": _form(annotations, DatasetSettings.model_validate(section))}


def _form(annotations: tuple[Path | Url, ...], settings: DatasetSettings) -> str:
    return format_of(expanded(local_paths(annotations, settings, may_be_annotations)))


def _heading(footage: Footage, kind: str, target: Path) -> str:
    return (
        f"{footage.videos} videos of {_minutes(footage.seconds)}, {footage.segments} segments of "
        f"{footage.classes} classes, for a {kind.upper()}; written by tada-loc init.\n\n"
        f"  tada-loc doctor --config {printable(target.name)}\n"
        f"  tada-loc run --config {printable(target.name)}"
    )


def _told(footage: Footage, target: Path) -> str:
    lines = [
        f"{target}: written for {footage.videos} videos of {_minutes(footage.seconds)} and "
        f"{footage.segments} segments of {footage.classes} classes",
        f"next: tada-loc doctor --config {target}, then tada-loc run --config {target}",
    ]
    return "\n".join(map(printable, lines))


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.3g} minutes" if seconds < 7200 else f"{seconds / 3600:.3g} hours"
