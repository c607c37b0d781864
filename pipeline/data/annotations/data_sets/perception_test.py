"""The Perception Test's action localisation: `{id: {"metadata": ..., "action_localisation": [...]}}`.

`timestamps` are microseconds; `frame_ids`, where they alone are given, count from 0 at `metadata.frame_rate`.
"""

from __future__ import annotations

import math
from typing import Any

from pipeline.data.annotations.foreign.found import Found, FoundVideo
from pipeline.data.annotations.foreign.opening import (
    OpenedFile,
    listed,
    mapping,
    objects_of,
    pair,
    rate_of,
    string,
)

_ACTIONS = "action_localisation"
_MICROSECONDS = 1e6


def recognises(file: OpenedFile) -> bool:
    """Whether a file is of the Perception Test, with actions."""
    entries = objects_of(file.json)
    return bool(entries) and any(_ACTIONS in entry for entry in entries)


def read(file: OpenedFile) -> Found:
    """The actions of a file; what else is in it (sounds, tracks, questions) is not. Raises UserError."""
    found = Found(file.path)
    for name, entry in mapping(file.json, str(file.path)).items():
        where = f"{file.path}: video {name[:80]}"
        entry = mapping(entry, where)
        video = found.video(
            name, _facts(name, mapping(entry.get("metadata", {}), where)), exact=True
        )
        for action in listed(entry.get(_ACTIONS), where):
            action = mapping(action, where)
            label = string(action.get("label"), f"{where}: label")
            if action.get("timestamps") is not None:
                start, end = pair(action["timestamps"], where)
                found.add(video, start / _MICROSECONDS, end / _MICROSECONDS, label, where)
            else:
                first, last = pair(action.get("frame_ids"), where)
                found.add_frames(video, first, last + 1, label, where)
    return found


def _facts(name: str, metadata: dict[str, Any]) -> FoundVideo:
    split = metadata.get("split")
    rate, frames = rate_of(metadata.get("frame_rate")), rate_of(metadata.get("num_frames"))
    seconds = frames / rate
    known = seconds if seconds > 0 else math.nan
    return FoundVideo(name, split if isinstance(split, str) and split else None, known, rate)
