"""Charades' CSV (`actions`: "c092 11.90 21.20;c147 0.00 12.60"), and the JSON that Charades and MultiTHUMOS share.

JSON: `{id: {"subset": "training", "duration": 24.8, "actions": [[class, start, end], ...]}}`, seconds; a class
is a number, by its place in the class file where one is given.
"""

from __future__ import annotations

from pipeline.data.annotations.csv_files import as_frame
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
from pipeline.errors import UserError


def recognises(file: OpenedFile) -> bool:
    """Whether a file is Charades' CSV."""
    return {"id", "actions", "length"} <= file.columns


def recognises_json(file: OpenedFile) -> bool:
    """Whether a file is the JSON with a list of numbered actions per video."""
    entries = objects_of(file.json)
    return bool(entries) and all({"actions", "subset"} <= set(entry) for entry in entries[:20])


def read(file: OpenedFile) -> Found:
    """The segments of a CSV or JSON file. Raises UserError naming line or video, and value."""
    if file.json is not None:
        return _json(file)
    found = Found(file.path)
    frame = as_frame(file.rows, file.path)
    missing = {"id", "actions", "length"} - set(frame.columns)
    if missing:
        raise UserError(
            f"{file.path}: no column {', '.join(sorted(missing))}; Charades' CSV has them"
        )
    rows = zip(frame.index, frame["id"], frame["actions"], frame["length"], strict=True)
    for line, name, actions, length in rows:
        where = f"{file.path}, line {line}"
        video = found.video(name, FoundVideo(name, duration=rate_of(length)), exact=True)
        for action in filter(None, map(str.strip, actions.split(";"))):
            parts = action.split()
            if len(parts) != 3:
                raise UserError(f"{where}: action {action[:60]!r} is not CLASS START END")
            start, end = number(parts[1], where), number(parts[2], where)
            _add(found, video, start, end, parts[0], where)
    return found


def _json(file: OpenedFile) -> Found:
    found = Found(file.path)
    for name, entry in mapping(file.json, str(file.path)).items():
        where = f"{file.path}: video {name[:80]}"
        entry = mapping(entry, where)
        subset = string(entry.get("subset"), f"{where}: subset")
        facts = FoundVideo(name, subset, rate_of(entry.get("duration")), rate_of(entry.get("fps")))
        video = found.video(name, facts, exact=True)
        for action in listed(entry.get("actions"), where):
            if not isinstance(action, list) or len(action) != 3:
                raise UserError(f"{where}: an action is not [class, start, end]")
            label = string(action[0], where)
            _add(found, video, number(action[1], where), number(action[2], where), label, where)
    return found


def _add(found: Found, video: str, start: float, end: float, label: str, where: str) -> None:
    """Note a segment; the published files have some that end before they start."""
    if end < start:
        found.notes["segments that end before they start, left out"] += 1
    else:
        found.add(video, start, end, label, where)
