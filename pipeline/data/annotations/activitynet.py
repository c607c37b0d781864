"""ActivityNet-style JSON; HACS uses the same schema.

`{"database": {id: {"subset": ..., "duration": seconds, "annotations": [{"segment": [s, e], "label": ...}]}}}`
where `duration` may be a string and ids may or may not carry the `v_` of the video files.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.data.annotations.columns.spelling import spelled_twice
from pipeline.data.annotations.dataset import (
    Dataset,
    Inputs,
    check_label,
    check_times,
    check_video_id,
    segments_frame,
)
from pipeline.data.annotations.foreign.opening import stated_rate
from pipeline.errors import UserError
from pipeline.plain_files import distinct_pairs, read_json, read_text


def read(inputs: Inputs) -> Dataset:
    """Read one or more annotation files.

    The class file has one name a line (a first line `action` or `label` is a heading); without it
    the classes are the labels of all files, sorted. Raises UserError naming file, video and value
    where the schema is not met.
    """
    files, classes = inputs.files, inputs.class_file()
    rows: list[dict[str, Any]] = []
    videos: list[dict[str, Any]] = []
    notes: Counter[str] = Counter()
    for file in files:
        for key, entry in _database(file).items():
            video = check_video_id(key, str(file))
            where = f"{file}: video {video}"
            subset = _text(entry.get("subset"), f"{where}: subset")
            told = entry.get("duration")
            duration = math.nan if told is None else _seconds(told, f"{where}: duration")
            rate = stated_rate(entry, duration, notes)
            videos.append({"video": video, "subset": subset, "duration": duration, "fps": rate})
            rows += _segments(entry, video, subset, where)
    annotations = segments_frame(rows, ("video", "subset", "start", "end", "label"))
    frame = pd.DataFrame(videos, columns=["video", "subset", "duration", "fps"])
    repeated = frame["video"][frame["video"].duplicated()]
    if len(repeated):
        raise UserError(f"{files[-1]}: video {repeated.iloc[0]} is annotated twice; keep one entry")
    names = listed_names(classes) if classes else tuple(sorted(set(annotations["label"])))
    notes += spelled_twice(annotations["label"].tolist())
    unknown = annotations.loc[~annotations["label"].isin(names), "label"]
    if len(unknown):
        raise UserError(f"{classes}: label {unknown.iloc[0]!r} of the annotations is not listed")
    return Dataset(annotations, frame, (names,), notes)


def _database(file: Path) -> dict[str, Any]:
    try:
        content = read_json(file, pairs=distinct_pairs)
    except OSError as error:
        raise UserError(
            f"{file}: cannot be read ({error.strerror}); see dataset.annotations"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not valid JSON ({error})") from error
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(database, dict) or not database:
        raise UserError(f"{file}: no videos under the key 'database'; is this an annotation file?")
    for video, entry in database.items():
        if not isinstance(entry, dict):
            raise UserError(
                f"{file}: video {video}: expected an object with subset and annotations"
            )
    return database


def _segments(entry: dict[str, Any], video: str, subset: str, where: str) -> list[dict[str, Any]]:
    annotations = entry.get("annotations")
    if annotations is None:  # nothing happens in it
        return []
    if not isinstance(annotations, list):
        raise UserError(f"{where}: annotations is not a list")
    rows = []
    for number, item in enumerate(annotations):
        here = f"{where}, annotation {number}"
        segment = item.get("segment") if isinstance(item, dict) else None
        if not isinstance(segment, list) or len(segment) != 2:
            raise UserError(f"{here}: segment is not [start, end]")
        start, end = (_seconds(value, here) for value in segment)
        check_times(start, end, here)
        label = check_label(_text(item.get("label"), f"{here}: label"), here)
        rows.append({"video": video, "subset": subset, "start": start, "end": end, "label": label})
    return rows


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise UserError(f"{where} is {value!r}, expected text")
    return value


def _seconds(value: Any, where: str) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{where}: {value!r} is not a number of seconds") from error


def listed_names(file: Path) -> tuple[str, ...]:
    """The class names of a file that has one per line, after a heading or not. Raises UserError."""
    try:
        lines = [line.strip() for line in read_text(file).splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error}); see dataset.classes") from error
    names = [line for line in lines if line]
    if names and names[0].lower() in {"action", "label", "class"}:
        names = names[1:]
    if len(set(names)) != len(names) or not names:
        raise UserError(f"{file}: expected distinct class names, one per line")
    return tuple(names)
