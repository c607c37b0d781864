"""THUMOS14 and MultiTHUMOS: text files of a class each, and THUMOS14's segments as ActivityNet-style JSON.

A line of text is `video_test_0000004  0.2  1.1`, seconds. THUMOS14 names the files `Class_val.txt` and `Class_test.txt`, MultiTHUMOS `Class.txt`. The subset of a video
is `validation` or `test`: the text files have it in the video's name, the JSON in any case. Segments of `Ambiguous` are kept as a label.
"""

from __future__ import annotations

import re
from typing import Any

from pipeline.data.annotations.foreign.found import Found, FoundVideo
from pipeline.data.annotations.foreign.opening import (
    OpenedFile,
    listed,
    mapping,
    number,
    pair,
    rate_of,
    stated_rate,
    string,
)
from pipeline.errors import UserError

_VIDEO = re.compile(r"video_(validation|test)_\d+")
_CLASS = re.compile(r"(.+?)(?:_(?:val|test))?$")
# Files of the same folders that hold no segments.
LISTS = frozenset({"detclasslist.txt", "class_list.txt", "classes.txt", "readme.txt", "readme"})


def recognises(file: OpenedFile) -> bool:
    """Whether a file holds the segments of one class of THUMOS14 or MultiTHUMOS."""
    if file.path.suffix.lower() != ".txt":
        return False
    first = next((line.split() for line in file.text.splitlines() if line.strip()), [])
    return len(first) == 3 and _VIDEO.fullmatch(first[0]) is not None


def recognises_json(file: OpenedFile) -> bool:
    """Whether a file has THUMOS14's videos in ActivityNet's schema."""
    return isinstance(file.json, dict) and named_so(file.json.get("database"))


def named_so(videos: object) -> bool:
    """Whether an object's keys are all names of THUMOS14's videos."""
    return isinstance(videos, dict) and bool(videos) and all(map(_VIDEO.fullmatch, videos))


def of_thumos14(file: OpenedFile) -> bool:
    """Whether it is THUMOS14's, by its name."""
    return recognises_json(file) or (
        recognises(file) and file.path.stem.endswith(("_val", "_test"))
    )


def read(file: OpenedFile) -> Found:
    """The segments of a file. Raises UserError naming line or video, and value."""
    found = Found(file.path)
    if file.json is not None:
        _json(found, file.json)
        return found
    named = _CLASS.fullmatch(file.path.stem)
    label = named.group(1) if named else file.path.stem
    for line, text in enumerate(file.text.splitlines(), start=1):
        parts, where = text.split(), f"{file.path}, line {line}"
        if not parts:
            continue
        subset = _VIDEO.fullmatch(parts[0])
        if len(parts) != 3 or subset is None:
            raise UserError(f"{where}: {text[:60]!r} is not VIDEO START END, as THUMOS14 has it")
        facts = FoundVideo(parts[0], subset=subset.group(1))
        video = found.video(parts[0], facts, exact=True)
        found.add(video, number(parts[1], where), number(parts[2], where), label, where)
    return found


def _json(found: Found, value: Any) -> None:
    database = mapping(mapping(value, str(found.file)).get("database"), f"{found.file}: database")
    for name, entry in database.items():
        where = f"{found.file}: video {name[:80]}"
        entry = mapping(entry, where)
        subset = string(entry.get("subset"), f"{where}: subset").lower()
        seconds = rate_of(entry.get("duration"))
        facts = FoundVideo(name, subset, seconds, stated_rate(entry, seconds, found.notes))
        video = found.video(name, facts, exact=True)
        for item in listed(entry.get("annotations"), where):
            item = mapping(item, where)
            start, end = pair(item.get("segment"), where)
            found.add(video, start, end, string(item.get("label"), f"{where}: label"), where)
