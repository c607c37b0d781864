"""Annotation files of many forms to one table; `load_annotations` picks the reader the configuration names.

A new form is a file in `label_tools` or `data_sets`, and its line in `formats.py`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.urls import Url
from pipeline.data.annotations.dataset import (
    Dataset,
    Inputs,
    check_label,
    in_one_form,
    training_rows,
)
from pipeline.data.annotations.formats import (
    AUTO,
    FORMATS,
    expanded,
    format_of,
    may_be_annotations,
    read_format,
)
from pipeline.data.annotations.subsets import with_subsets, without
from pipeline.data.remote.copies import local_paths
from pipeline.data.remote.videos import folder_of
from pipeline.errors import UserError

__all__ = [
    "Dataset",
    "annotation_files",
    "load_annotations",
    "read_annotations",
    "training_rows",
]

# Forms whose figures and classes are other than a list of labels: they are asked for by name.
_BY_NAME = frozenset({"epic_kitchens", "kinetics", "something"})


def load_annotations(settings: DatasetSettings, ignore: Collection[str] = ()) -> Dataset:
    """Read the annotation files a configuration names; segments of the labels to `ignore` are of no class.

    Raises UserError naming file, line or video and value; also when a subset holds no video.
    """
    files = expanded(_paths(settings, "annotations"))
    if not files:
        raise UserError("dataset.annotations: no file given")
    subsets = (settings.train_subset, settings.eval_subset)
    inputs = Inputs(
        files,
        subsets,
        _paths(settings, "classes"),
        next(iter(_paths(settings, "video_info")), None),
        folder_of(settings),
        settings.annotation_fps,
    )
    dataset = in_one_form(read_format(_form(settings, files), inputs), str(files[-1]))
    dataset = with_subsets(dataset, subsets)
    if settings.exclude_videos or ignore:
        dataset = without(dataset, settings.exclude_videos, ignore)
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


def read_annotations(paths: Sequence[Path]) -> Dataset:
    """Annotations of any form, detected from their content, without a configuration. Raises UserError."""
    files = expanded(paths)
    return in_one_form(read_format(format_of(files), Inputs(files)), str(files[-1]))


def annotation_files(settings: DatasetSettings) -> dict[str, Path]:
    """Every file `load_annotations` reads, by its role and place, for fingerprints."""
    return {
        f"dataset.{role}[{place}]": path
        for role in ("annotations", "classes", "video_info")
        for place, path in enumerate(expanded(_paths(settings, role)))
    }


def _form(settings: DatasetSettings, files: Sequence[Path]) -> str:
    """The name of the form. Raises UserError if it is detected and needs further keys of its own."""
    if settings.format != AUTO:
        return settings.format
    name = format_of(files)
    if name in _BY_NAME:
        raise UserError(f"{files[0]}: looks like {FORMATS[name].title}; set dataset.format: {name}")
    return name


def _paths(settings: DatasetSettings, role: str) -> list[Path]:
    """The files or folders of a key, on this machine. Raises UserError if a store does not give one."""
    value: tuple[Path | Url, ...] | Path | Url | None = getattr(settings, role)
    places = value if isinstance(value, tuple) else () if value is None else (value,)
    return local_paths(places, settings, may_be_annotations)
