"""Official annotation files to one table; `load_annotations` picks the reader the configuration names.

A new format is a file here with a `read(inputs)`, and its line in READERS.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data.annotations import activitynet, epic_kitchens, table, trimmed
from pipeline.data.annotations.dataset import (
    Dataset,
    Inputs,
    check_label,
    in_one_form,
    training_rows,
)
from pipeline.errors import UserError

__all__ = ["Dataset", "annotation_files", "load_annotations", "training_rows"]

# What `dataset.format` may be, and who reads it.
READERS: dict[str, Callable[[Inputs], Dataset]] = {
    "table": table.read,
    "activitynet": activitynet.read,
    "epic_kitchens": epic_kitchens.read,
    "kinetics": trimmed.read_kinetics,
    "something": trimmed.read_something,
}


def load_annotations(settings: DatasetSettings) -> Dataset:
    """Read the annotation files a configuration names.

    Raises UserError naming file, line or video and value; also when a subset holds no video.
    """
    files = _paths(settings.annotations)
    if not files:
        raise UserError("dataset.annotations: no file given")
    subsets = (settings.train_subset, settings.eval_subset)
    inputs = Inputs(files, subsets, _paths(settings.classes), settings.video_info)
    dataset = in_one_form(READERS[settings.format](inputs), str(files[-1]))
    for name in {name for head in dataset.heads for name in head}:
        check_label(name, str(files[-1]))
    endless = dataset.videos["video"][dataset.videos["duration"] == math.inf]
    if len(endless):
        raise UserError(
            f"{files[-1]}: video {endless.iloc[0]}: duration is infinite; write seconds"
        )
    known = sorted(set(dataset.videos["subset"]))
    if settings.eval_subset not in known:
        raise UserError(
            f"{files[-1]}: no video of subset {settings.eval_subset!r} (dataset.eval_subset); "
            f"it has {', '.join(known)} (tada-loc init: --train-subset NAME --eval-subset NAME)"
        )
    others = dataset.videos["subset"][~dataset.videos["subset"].isin(subsets)]
    for name, count in others.value_counts().items():
        dataset.notes[f"videos of subset {name!r}, not used"] = int(count)
    return dataset


def annotation_files(settings: DatasetSettings) -> dict[str, Path]:
    """Every file `load_annotations` reads, by its role and place, for fingerprints."""
    return {
        f"dataset.{role}[{place}]": path
        for role in ("annotations", "classes", "video_info")
        for place, path in enumerate(_paths(getattr(settings, role)))
    }


def _paths(value: tuple[Path, ...] | Path | None) -> list[Path]:
    if value is None:
        return []
    return list(value) if isinstance(value, tuple) else [value]
