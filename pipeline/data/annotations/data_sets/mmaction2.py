"""MMAction2's annotations for BMN: `{id: {"duration_second": ..., "annotations": [{"segment": [s, e], "label": ...}]}}`.

Subsets are not in it: two files are training and validation, or `dataset.video_info` (`video,...,subset`)
tells them.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.data.annotations.csv_files import read_csv
from pipeline.data.annotations.foreign.found import Found, FoundVideo
from pipeline.data.annotations.foreign.opening import (
    OpenedFile,
    listed,
    mapping,
    objects_of,
    pair,
    rate_of,
    stated_rate,
    string,
)


def recognises(file: OpenedFile) -> bool:
    """Whether a file is of MMAction2's BMN."""
    entries = objects_of(file.json)
    return bool(entries) and {"annotations", "duration_second"} <= set(entries[0])


def read(file: OpenedFile) -> Found:
    """The segments of a file. Raises UserError naming video and value."""
    found = Found(file.path)
    for name, entry in mapping(file.json, str(file.path)).items():
        where = f"{file.path}: video {name[:80]}"
        entry = mapping(entry, where)
        length = rate_of(entry.get("duration_second"))
        rate = stated_rate(entry, length, found.notes, frames="duration_frame")
        subset = entry.get("subset")
        subset = None if subset is None else string(subset, f"{where}: subset")
        video = found.video(name, FoundVideo(name, subset, length, rate), exact=True)
        for item in listed(entry.get("annotations"), where):
            item = mapping(item, where)
            start, end = pair(item.get("segment"), where)
            found.add(video, start, end, string(item.get("label"), f"{where}: label"), where)
    return found


def with_subsets(found: Found, video_info: Path) -> Found:
    """The same with the subsets from a file about the videos. Raises UserError if it lacks one."""
    frame = read_csv(video_info, ["video", "subset"])
    told = dict(zip(frame["video"], frame["subset"], strict=True))
    for name in list(found.videos):
        facts = FoundVideo(
            name, string(told.get(name), f"{video_info}: subset of video {name[:80]}")
        )
        found.videos[name] = FoundVideo(
            name, facts.subset, found.videos[name].duration, found.videos[name].fps
        )
    return found
