"""Every form of annotations that is read, by its name: how it is recognised, and who reads it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.annotations import activitynet, epic_kitchens, table, trimmed
from pipeline.data.annotations.columns.headings import are_headings, find_columns
from pipeline.data.annotations.data_sets import (
    charades,
    coco_temporal,
    ego4d,
    mmaction2,
    perception_test,
    thumos14,
)
from pipeline.data.annotations.dataset import Dataset, Inputs
from pipeline.data.annotations.foreign.found import Found
from pipeline.data.annotations.foreign.gathering import gather
from pipeline.data.annotations.foreign.opening import OpenedFile
from pipeline.data.annotations.foreign.unread import refuse_json, refuse_xml
from pipeline.data.annotations.label_tools import audacity, boris, cvat, elan, label_studio, via
from pipeline.errors import UsageError, UserError

AUTO = "auto"
# Files of a folder that may be annotations; others (videos, pictures) are beside them.
_ENDINGS = frozenset({".json", ".xml", ".csv", ".tsv", ".txt", ".eaf", ".gz"})
_MOST_FILES = 100_000


@dataclass(frozen=True)
class Format:
    """A form of annotation files: what people call it, and who recognises one.

    `read` gives the whole data set of a form that says all of it; `find` what is in one file, to be gathered.
    `pair`: a file holds many videos, so that two files without subsets are training and validation.
    """

    title: str
    recognises: Callable[[OpenedFile], bool]
    read: Callable[[Inputs], Dataset] | None = None
    find: Callable[[OpenedFile], Found] | None = None
    pair: bool = False


def _json_list_of_templates(file: OpenedFile) -> bool:
    value = file.json
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and "template" in value[0]
    )


def _has_database(file: OpenedFile) -> bool:
    return isinstance(file.json, dict) and isinstance(file.json.get("database"), dict)


def _is_table(file: OpenedFile) -> bool:
    return are_headings(sorted(file.columns))


def _is_epic(file: OpenedFile) -> bool:
    return {"video_id", "start_timestamp", "stop_timestamp", "verb_class"} <= file.columns


def _is_kinetics(file: OpenedFile) -> bool:
    return {"label", "youtube_id", "time_start", "time_end"} <= file.columns


def _is_charades(file: OpenedFile) -> bool:
    return charades.recognises(file) or charades.recognises_json(file)


def _is_multithumos(file: OpenedFile) -> bool:
    if file.json is not None:
        return charades.recognises_json(file) and thumos14.named_so(file.json)
    return thumos14.recognises(file) and not thumos14.of_thumos14(file)


def _find_multithumos(file: OpenedFile) -> Found:
    return thumos14.read(file) if file.json is None else charades.read(file)


# In the order in which they are tried: the first that recognises a file is its form.
FORMATS: dict[str, Format] = {
    "thumos14": Format("THUMOS14", thumos14.of_thumos14, find=thumos14.read),
    "activitynet": Format("ActivityNet's JSON", _has_database, read=activitynet.read),
    "coco_temporal": Format(
        "COCO-like JSON with segments", coco_temporal.recognises, find=coco_temporal.read, pair=True
    ),
    "ego4d": Format("Ego4D's moments", ego4d.recognises, find=ego4d.read, pair=True),
    "via": Format("VIA 3", via.recognises, find=via.read),
    "perception_test": Format(
        "the Perception Test", perception_test.recognises, find=perception_test.read, pair=True
    ),
    "mmaction2": Format("MMAction2's BMN", mmaction2.recognises, find=mmaction2.read, pair=True),
    "multithumos": Format("MultiTHUMOS", _is_multithumos, find=_find_multithumos),
    "charades": Format("Charades", _is_charades, find=charades.read, pair=True),
    "label_studio": Format("Label Studio", label_studio.recognises, find=label_studio.read),
    "something": Format(
        "Something-Something", _json_list_of_templates, read=trimmed.read_something
    ),
    "cvat": Format("CVAT", cvat.recognises, find=cvat.read),
    "boris": Format("BORIS", boris.recognises, find=boris.read),
    "epic_kitchens": Format("EPIC-KITCHENS", _is_epic, read=epic_kitchens.read),
    "kinetics": Format("Kinetics", _is_kinetics, read=trimmed.read_kinetics),
    "table": Format("a table video,start,end,label", _is_table, read=table.read),
    "elan": Format("ELAN", elan.recognises, find=elan.read),
    "audacity": Format("Audacity's labels", audacity.recognises, find=audacity.read),
}


def expanded(paths: Sequence[Path]) -> list[Path]:
    """The files of `paths`; of a folder all below it that may be annotations, by name.

    Raises UserError for a folder without any.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = [
            Path(folder) / name
            for folder, _, names in os.walk(path)
            for name in names
            if may_be_annotations(name)
        ]
        if not inside or len(inside) > _MOST_FILES:
            raise UserError(
                f"{path}: is a folder, with {len(inside)} annotation files in it; name the file"
            )
        files += sorted(inside)
    return files


def may_be_annotations(name: str) -> bool:
    """Whether a file of a folder is read, by its name."""
    return (
        Path(name).suffix.lower() in _ENDINGS
        and name.lower() not in thumos14.LISTS
        and not name.startswith(".")
    )


def format_of(files: Sequence[Path]) -> str:
    """The form that files have, all the same. Raises UserError naming the file that has none, or another."""
    names = {file: _name_of(OpenedFile(file)) for file in files}
    first = next(iter(names))
    for file, name in names.items():
        if name != names[first]:
            raise UserError(
                f"{file}: looks like {FORMATS[name].title}, and {first} like {FORMATS[names[first]].title}; "
                "give files of one format"
            )
    return names[first]


def read_format(name: str, inputs: Inputs) -> Dataset:
    """The data set of files of a form. Raises UserError naming file, place and value."""
    form = FORMATS[name]
    if form.read is not None:
        if inputs.fps is not None and name != "table":
            raise UsageError(
                f"dataset.annotation_fps: {form.title} gives times in seconds; leave the rate out"
            )
        return _read_whole(name, form.read, inputs)
    assert form.find is not None
    founds = []
    for path in inputs.files:
        file = OpenedFile(path)
        if not form.recognises(file) and (name, file.json is None) != ("thumos14", False):
            other = _name_of(file)
            raise UserError(
                f"{path}: is not {form.title}; it looks like {FORMATS[other].title}: "
                f"dataset.format: {other} (tada-loc convert: --format {other})"
            )
        founds.append(form.find(file))
    if name == "mmaction2" and inputs.video_info is not None:
        founds = [mmaction2.with_subsets(found, inputs.video_info) for found in founds]
    if name == "label_studio" and inputs.fps is None:
        for found in founds:
            label_studio.say_rate(found)
    listed = inputs.class_file()
    names = activitynet.listed_names(listed) if listed is not None else ()
    return gather(founds, inputs, pair=form.pair, names=names)


def _read_whole(name: str, read: Callable[[Inputs], Dataset], inputs: Inputs) -> Dataset:
    """As the reader; where a file is of another form, the error says which."""
    try:
        return read(inputs)
    except UserError as error:
        for path in inputs.files:
            try:
                other = _name_of(OpenedFile(path))
            except UserError:
                continue
            if other != name and FORMATS[other].find is not None:
                raise UserError(
                    f"{error.message} (it looks like {FORMATS[other].title}: dataset.format: {other})"
                ) from error
        raise


def _name_of(file: OpenedFile) -> str:
    """The form of a file. Raises UserError that says what it looks like where it is none."""
    for name, form in FORMATS.items():
        if form.recognises(file):
            return name
    if file.json is not None:
        refuse_json(file.path, file.json)
    if file.xml is not None:
        refuse_xml(file.path, file.xml)
    table.require_heading(file.rows, file.path)
    find_columns(file.rows.cells[0], file.path)
    raise UserError(
        f"{file.path}: not a known annotation format; docs/reference/annotations.md lists them"
    )
