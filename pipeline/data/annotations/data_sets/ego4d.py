"""Ego4D's moments: the published `moments_*.json`, and the clip annotations made of it.

A video here is a clip, by its uid, and times count from the clip's start. Labels that are not `primary` are
not part of the benchmark.
"""

from __future__ import annotations

import math
from typing import Any

from pipeline.data.annotations.foreign.found import Found, FoundVideo
from pipeline.data.annotations.foreign.opening import (
    OpenedFile,
    listed,
    mapping,
    number,
    objects_of,
    rate_of,
    string,
)


def recognises(file: OpenedFile) -> bool:
    """Whether a file is of Ego4D's moments."""
    value = file.json
    if isinstance(value, dict) and isinstance(value.get("videos"), list):
        videos = value["videos"]
        return bool(videos) and isinstance(videos[0], dict) and "clips" in videos[0]
    entries = objects_of(value)
    return bool(entries) and {"clip_id", "annotations"} <= set(entries[0])


def read(file: OpenedFile) -> Found:
    """The segments of a file. Raises UserError naming clip and value."""
    found, value = Found(file.path), mapping(file.json, str(file.path))
    if "videos" not in value:
        for name, entry in value.items():
            _clip_entry(found, name, mapping(entry, f"{file.path}: clip {name[:80]}"))
        return found
    for video in listed(value["videos"], str(file.path)):
        video = mapping(video, str(file.path))
        where = f"{file.path}: video {str(video.get('video_uid'))[:80]}"
        subset = video.get("split")
        subset = None if subset is None else string(subset, f"{where}: split")
        for clip in listed(video.get("clips"), where):
            _clip(found, mapping(clip, where), subset, where)
    return found


def _clip(found: Found, clip: dict[str, Any], subset: str | None, where: str) -> None:
    name = string(clip.get("clip_uid"), f"{where}: clip_uid")
    where = f"{found.file}: clip {name[:80]}"
    ends = [
        clip.get(f"clip_{side}_sec", clip.get(f"video_{side}_sec")) for side in ("start", "end")
    ]
    length = rate_of(ends[1]) - (rate_of(ends[0]) if ends[0] else 0.0)
    rate = rate_of(clip.get("clip_fps"))
    duration = length if length > 0 else math.nan
    video = found.video(name, FoundVideo(name, subset, duration, rate), exact=True)
    annotators = 0
    for annotation in listed(clip.get("annotations"), where):
        labels = listed(mapping(annotation, where).get("labels"), where)
        annotators += bool(labels)
        for label in labels:
            _label(found, video, mapping(label, where), where)
    if annotators > 1:
        found.notes["clips annotated more than once, all annotations are used"] += 1


def _clip_entry(found: Found, name: str, entry: dict[str, Any]) -> None:
    where = f"{found.file}: clip {name[:80]}"
    subset = entry.get("subset")
    subset = None if subset is None else string(subset, f"{where}: subset")
    begin, end = entry.get("parent_start_sec"), entry.get("parent_end_sec")
    length = rate_of(end) - (rate_of(begin) if begin else 0.0)
    # `fps` is that of features, not of the clip
    video = found.video(
        name, FoundVideo(name, subset, length if length > 0 else math.nan), exact=True
    )
    for label in listed(entry.get("annotations"), where):
        _label(found, video, mapping(label, where), where)


def _label(found: Found, video: str, label: dict[str, Any], where: str) -> None:
    if label.get("primary") is False:
        found.notes["labels that are not primary, left out"] += 1
        return
    start, end = (number(label.get(side), where) for side in ("start_time", "end_time"))
    found.add(video, start, end, string(label.get("label"), f"{where}: label"), where)
