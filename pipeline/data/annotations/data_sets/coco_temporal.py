"""Segments in the manner of COCO: lists of `videos`, `categories` and `annotations` that name one another by id."""

from __future__ import annotations

from typing import Any

from pipeline.data.annotations.foreign.found import Found, FoundVideo
from pipeline.data.annotations.foreign.opening import (
    OpenedFile,
    listed,
    mapping,
    number,
    pair,
    rate_of,
    string,
)
from pipeline.errors import UserError

_PARTS = ("videos", "categories", "annotations")
# What holds start and end: one value, or two.
_PAIRS = ("segment", "time_segment", "temporal_segment", "timestamps", "interval")
_ENDS = (
    ("start", "end"),
    ("start_time", "end_time"),
    ("t_start", "t_end"),
    ("start_sec", "end_sec"),
)
_NAMES = ("file_name", "filename", "name", "video_name", "video")


def recognises(file: OpenedFile) -> bool:
    """Whether a file has COCO's lists with videos."""
    value = file.json
    return isinstance(value, dict) and all(isinstance(value.get(part), list) for part in _PARTS)


def read(file: OpenedFile) -> Found:
    """The segments of a file. Raises UserError naming annotation and value."""
    value = mapping(file.json, str(file.path))
    found = Found(file.path)
    videos = {}
    for entry in listed(value.get("videos"), str(file.path)):
        entry = mapping(entry, f"{file.path}: videos")
        videos[_key(entry, "id")] = _video(found, entry)
    labels = {
        _key(entry, "id"): string(entry.get("name"), f"{file.path}: category {_key(entry, 'id')}")
        for entry in listed(value.get("categories"), str(file.path))
        if isinstance(entry, dict)
    }
    for place, entry in enumerate(listed(value.get("annotations"), str(file.path))):
        where = f"{file.path}: annotation {place}"
        entry = mapping(entry, where)
        video, label = videos.get(_key(entry, "video_id")), labels.get(_key(entry, "category_id"))
        if video is None or label is None:
            missing = "video_id" if video is None else "category_id"
            raise UserError(
                f"{where}: {missing} {_key(entry, missing)[:60]} is in no list of the file"
            )
        _segment(found, video, label, entry, where)
    return found


def _key(entry: dict[str, Any], name: str) -> str:
    return repr(entry.get(name))[:200]


def _video(found: Found, entry: dict[str, Any]) -> str:
    where = f"{found.file}: video {_key(entry, 'id')}"
    written = next((entry[name] for name in _NAMES if entry.get(name)), entry.get("id"))
    written = string(written, where)
    subset = entry.get("subset", entry.get("split"))
    subset = None if subset is None else string(subset, f"{where}: subset")
    facts = FoundVideo(written, subset, rate_of(entry.get("duration")), rate_of(entry.get("fps")))
    return found.video(written, facts)


def _segment(found: Found, video: str, label: str, entry: dict[str, Any], where: str) -> None:
    for name in _PAIRS:
        if entry.get(name) is not None:
            found.add(video, *pair(entry[name], f"{where}: {name}"), label, where)
            return
    for sides in _ENDS:
        if all(entry.get(side) is not None for side in sides):
            start, end = (number(entry[side], where) for side in sides)
            found.add(video, start, end, label, where)
            return
    frames = [entry.get("start_frame"), entry.get("end_frame")]
    if None in frames:
        raise UserError(
            f"{where}: no segment [start, end] in it: these are annotations without times; write them "
            "as CSV: video,start,end,label"
        )
    first, after = pair(frames, where)
    found.add_frames(video, first, after, label, where)
