"""VIA 3 (VGG Image Annotator for video): a project's JSON. Times are seconds; labels are options of attributes."""

from __future__ import annotations

from typing import Any

from pipeline.data.annotations.foreign.found import Found
from pipeline.data.annotations.foreign.opening import (
    OpenedFile,
    listed,
    mapping,
    number,
    string,
)
from pipeline.errors import UserError

# Kinds of attribute whose values are numbers of options: several of them, one, one.
_CHECKBOX, _RADIO, _SELECT = 2, 3, 4
_CHOICES = (_CHECKBOX, _RADIO, _SELECT)
_PARTS = {"project", "file", "metadata", "attribute", "view"}


def recognises(file: OpenedFile) -> bool:
    """Whether a file is a project of VIA 3."""
    return isinstance(file.json, dict) and set(file.json) >= _PARTS


def read(file: OpenedFile) -> Found:
    """The segments of a project. Raises UserError naming entry and value."""
    project = mapping(file.json, str(file.path))
    found = Found(file.path)
    parts = {part: mapping(project.get(part), f"{file.path}: {part}") for part in _PARTS}
    names = {
        str(key): string(mapping(entry, where).get("fname"), where)
        for key, entry in parts["file"].items()
        for where in [f"{file.path}: file {key}"]
    }
    video_of = {
        str(view): found.video(
            _video(mapping(entry, str(file.path)), names, f"{file.path}: view {view}")
        )
        for view, entry in parts["view"].items()
    }
    for key, entry in parts["metadata"].items():
        where = f"{file.path}: metadata {key}"
        _entry(found, mapping(entry, where), parts["attribute"], video_of, where)
    return found


def _video(view: dict[str, Any], names: dict[str, str], where: str) -> str:
    files = [str(name) for name in listed(view.get("fid_list"), where)]
    if len(files) != 1 or files[0] not in names:
        raise UserError(
            f"{where}: shows {len(files)} files instead of one; annotate each video separately"
        )
    return names[files[0]]


def _entry(
    found: Found,
    entry: dict[str, Any],
    attributes: dict[str, Any],
    video_of: dict[str, str],
    where: str,
) -> None:
    times = [number(time, where) for time in listed(entry.get("z"), where)]
    if len(times) < 2:
        kind = "points in time" if times else "texts and marks of a whole video"
        found.notes[f"{kind}, left out"] += 1
        return
    video = video_of.get(str(entry.get("vid")))
    if video is None:
        raise UserError(
            f"{where}: vid {str(entry.get('vid'))[:40]!r} is not a view of the project; export the project again"
        )
    chosen = mapping(entry.get("av", {}), where)
    labels = _labels(chosen, attributes, where)
    if sum(isinstance(value, str) and bool(value.strip()) for value in chosen.values()) > 1:
        found.notes["segments with a value of several attributes, each used as a label"] += 1
    if not labels:
        found.notes["segments without a label, left out"] += 1
    for label in labels:
        found.add(video, min(times), max(times), label, where)


def _labels(values: dict[str, Any], attributes: dict[str, Any], where: str) -> list[str]:
    """The names of the options chosen; a text typed is a label itself."""
    labels: list[str] = []
    for key, value in values.items():
        attribute = attributes.get(key)
        attribute = attribute if isinstance(attribute, dict) else {}
        options = attribute.get("options")
        chosen = str(value) if isinstance(value, (str, int)) else ""
        if isinstance(options, dict) and options and attribute.get("type") in _CHOICES:
            parts = chosen.split(",")
            if attribute["type"] != _CHECKBOX and not all(part in options for part in parts):
                parts = [chosen]  # typed in the timeline, where a label may have commas
            for number_of_it in filter(None, parts):
                name = options.get(number_of_it)
                labels.append(string(number_of_it if name is None else name, where))
        elif chosen.strip():
            labels.append(chosen)
    return labels
