"""The EPIC-KITCHENS-100 CSV files; times come from the timestamps, never from frame numbers.

A row per segment: `video_id,start_timestamp,stop_timestamp,verb_class,noun_class` and more, timestamps
`HH:MM:SS.ss`; class files are `id,key`, the file about the videos `video_id,duration,fps`. The frame
columns count at 60 (or 50) frames per second whatever the video's real rate is.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.annotations.csv_files import float_column, read_csv
from pipeline.data.annotations.dataset import Dataset, Inputs, check_times, check_video_id
from pipeline.errors import UserError

_COLUMNS = ["video_id", "start_timestamp", "stop_timestamp"]
# The 97 verbs and 300 nouns, where no file names them.
_NUMBERED = tuple(tuple(map(str, range(count))) for count in (97, 300))


def read(inputs: Inputs) -> Dataset:
    """Read the training and validation files (one file: validation only, as for evaluation).

    The class files are those of verbs and of nouns (none: classes go by number), `video_info` is
    EPIC_100_video_info.csv (durations and rates).
    Raises UserError naming file, line and value; the test timestamps carry no classes and are refused.
    """
    files, classes, video_info = inputs.files, inputs.classes, inputs.video_info
    if len(files) > 2 or len(classes) not in (0, 2):
        raise UserError(
            "dataset: EPIC-KITCHENS-100 takes one or two annotation files and two class files (verb, noun)"
        )
    heads = tuple(_class_names(file) for file in classes) or _NUMBERED
    names = inputs.subsets if len(files) == 2 else inputs.subsets[1:]
    tables = [_read_timestamps(file, name, heads) for file, name in zip(files, names, strict=True)]
    annotations = pd.concat(tables, ignore_index=True)
    videos = annotations[["video", "subset"]].drop_duplicates(ignore_index=True)
    both = videos["video"][videos["video"].duplicated()]
    if len(both):
        raise UserError(f"{files[-1]}: video {both.iloc[0]} is in training and validation")
    notes: Counter[str] = Counter()
    for column in ("duration", "fps"):
        told = _told(video_info, column) if video_info else {}
        videos[column] = videos["video"].map(told).astype(float)
    missing = int(videos["duration"].isna().sum())
    if video_info and missing:
        notes[f"videos without a row in {video_info.name}"] = missing
    return Dataset(annotations, videos, heads, notes)


def _read_timestamps(file: Path, subset: str, heads: tuple[tuple[str, ...], ...]) -> pd.DataFrame:
    frame = read_csv(file, _COLUMNS)
    if not {"verb_class", "noun_class"} <= set(frame.columns):
        raise UserError(
            f"{file}: no verb_class and noun_class columns; the test timestamps cannot be used for detection"
        )
    if frame.empty:
        raise UserError(f"{file}: no annotation")
    result = pd.DataFrame({"video": frame["video_id"], "subset": subset})
    result["start"] = _timestamps(frame["start_timestamp"], file)
    result["end"] = _timestamps(frame["stop_timestamp"], file)
    for head, (column, name) in enumerate((("verb_class", "verb"), ("noun_class", "noun"))):
        values = float_column(frame, column, file)
        bad = (values < 0) | (values >= len(heads[head])) | (values % 1 != 0)
        if bad.any():
            line = int(bad.to_numpy().argmax())
            raise UserError(
                f"{file}, line {frame.index[line]}: {column} {frame[column].iloc[line]} is not "
                f"one of the {len(heads[head])} classes"
            )
        result[name] = values.astype(np.int64)
    result["label"] = result["verb"].astype(str) + "," + result["noun"].astype(str)
    for video in result["video"].unique():
        check_video_id(video, str(file))
    return result


def _timestamps(column: pd.Series, file: Path) -> pd.Series:
    """HH:MM:SS.ss to seconds, added as the official evaluator adds: tIoUs on a threshold must fall alike."""
    parts = column.str.extract(r"^(\d+):(\d{1,2}):(\d{1,2}(?:\.\d+)?)$").astype(float)
    bad = parts.isna().any(axis=1)
    if bad.any():
        line = int(bad.to_numpy().argmax())
        raise UserError(
            f"{file}, line {column.index[line]}: timestamp {column.iloc[line]!r} is not HH:MM:SS.ss"
        )
    seconds = parts[0] * 3600 + parts[1] * 60 + parts[2]
    check_times(float(seconds.min()), float(seconds.max()), str(file))
    return seconds


def _class_names(file: Path) -> tuple[str, ...]:
    frame = read_csv(file, ["id", "key"])
    ids = float_column(frame, "id", file)
    if ids.tolist() != list(range(len(frame))):
        raise UserError(f"{file}: class ids do not count 0, 1, 2, ...")
    return tuple(frame["key"])


def _told(file: Path, column: str) -> dict[str, float]:
    frame = read_csv(file, ["video_id", column])
    return dict(zip(frame["video_id"], float_column(frame, column, file), strict=True))
