"""A plain CSV of one's own: `video,start,end,label[,subset]`, a row a segment, times in seconds.

`video` is the name of the video's file without its ending.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.annotations.csv_files import float_column, read_csv
from pipeline.data.annotations.dataset import (
    Dataset,
    Inputs,
    check_label,
    check_times,
    check_video_id,
)
from pipeline.errors import UserError

_COLUMNS = ["video", "start", "end", "label"]
HELD_OUT = "videos held out for validation (the table has no subset column)"  # a note


def read(inputs: Inputs) -> Dataset:
    """Read one file, or a training and a validation file.

    One file without a `subset` column: every fifth video, sorted by name, is held out for validation.
    Classes are the labels, sorted. Raises UserError naming file, line and value.
    """
    files, (train_subset, eval_subset) = inputs.files, inputs.subsets
    if len(files) > 2:
        raise UserError("dataset.annotations: give one table, or a training and a validation table")
    subsets = [train_subset, eval_subset] if len(files) == 2 else [None]
    notes: Counter[str] = Counter()
    tables = [_read_table(file, subset) for file, subset in zip(files, subsets, strict=True)]
    annotations = pd.concat(tables, ignore_index=True)
    if annotations.empty:
        raise UserError(f"{files[0]}: no annotation; each row is video,start,end,label[,subset]")
    if annotations["subset"].isna().any():
        names = sorted(set(annotations["video"]))
        held_out = set(names[4::5] or names[-1:])
        chosen = annotations["video"].isin(held_out)
        annotations["subset"] = np.where(chosen, eval_subset, train_subset)
        notes[HELD_OUT] = len(held_out)
    videos = annotations[["video", "subset"]].drop_duplicates(ignore_index=True)
    both = videos["video"][videos["video"].duplicated()]
    if len(both):
        raise UserError(f"{files[-1]}: video {both.iloc[0]} is in two subsets; a video has one")
    labels = tuple(sorted(set(annotations["label"])))
    return Dataset(annotations, videos.assign(duration=np.nan, fps=np.nan), (labels,), notes)


def _read_table(file: Path, subset: str | None) -> pd.DataFrame:
    frame = read_csv(file, _COLUMNS)
    for column in {"video", "label", "subset"} & set(frame.columns):
        frame[column] = frame[column].str.strip()
    for column in ("start", "end"):
        frame[column] = float_column(frame, column, file)
    for line, row in enumerate(frame.itertuples(index=False), start=2):
        where = f"{file}, line {line}"
        check_video_id(row.video, where)
        check_times(row.start, row.end, where)
        if row.end < row.start:
            count = int((frame["end"] < frame["start"]).sum())
            others = f"; {count} of {len(frame)} rows are so" if count > 1 else ""
            fix = ": swap start and end" if 2 * count > len(frame) and count > 1 else ""
            raise UserError(
                f"{where}: video {row.video} ends at {row.end}, before its start {row.start}{others}{fix}"
            )
        if not row.label:
            raise UserError(f"{where}: video {row.video} has no label")
        check_label(row.label, where)
        if subset is None and "subset" in frame.columns and not row.subset:
            raise UserError(f"{where}: video {row.video} has no subset")
    if subset is not None:
        frame["subset"] = subset
    elif "subset" not in frame.columns:
        frame["subset"] = None
    return frame[["video", "subset", "start", "end", "label"]]
