"""Official annotation files to one table; `load_annotations` picks the reader the configuration names."""

from __future__ import annotations

from pathlib import Path

from pipeline.configuration.settings import DatasetSettings
from pipeline.data.annotations import activitynet, epic_kitchens, table, trimmed
from pipeline.data.annotations.dataset import Dataset, training_rows
from pipeline.errors import UserError

_ONE_CLASS_FILE = frozenset({"activitynet", "kinetics", "something"})

__all__ = ["Dataset", "annotation_files", "load_annotations", "training_rows"]


def load_annotations(settings: DatasetSettings) -> Dataset:
    """Read the annotation files a configuration names.

    Raises UserError naming file, line or video and value; also when a subset holds no video.
    """
    files = _paths(settings.annotations)
    if not files:
        raise UserError("dataset.annotations: no file given")
    classes = _paths(settings.classes)
    subsets = (settings.train_subset, settings.eval_subset)
    if settings.format in _ONE_CLASS_FILE and len(classes) > 1:
        raise UserError("dataset.classes: give one file with a class name a line")
    if settings.format == "activitynet":
        dataset = activitynet.read(files, *classes)
    elif settings.format == "kinetics":
        dataset = trimmed.read_kinetics(files, subsets, *classes)
    elif settings.format == "something":
        dataset = trimmed.read_something(files, subsets, *classes)
    elif settings.format == "epic_kitchens":
        dataset = epic_kitchens.read(files, subsets, classes, settings.video_info)
    else:
        dataset = table.read(files, *subsets)
    for name in {name for head in dataset.heads for name in head}:
        if any("\ud800" <= mark <= "\udfff" for mark in name):  # half characters no file can hold
            raise UserError(f"{files[-1]}: label {name!r} is no text; mend it")
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
