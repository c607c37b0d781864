"""A table of one's own: `video,start,end,label[,subset]`, a row per segment, times in seconds.

`video` is the name of the video's file. A row of a video alone, with no start, end and label, says that
nothing happens in it. Separators, headings, times and encodings may be as people and spreadsheets write them.
"""

from __future__ import annotations

from collections import Counter
from itertools import compress
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.annotations.columns.headings import FRAMES, MILLISECONDS, Columns, find_columns
from pipeline.data.annotations.columns.spelling import joined_blanks, spelled_twice
from pipeline.data.annotations.columns.times import is_number, seconds_column
from pipeline.data.annotations.csv_files import Rows, as_frame, read_rows
from pipeline.data.annotations.dataset import (
    Dataset,
    Inputs,
    check_label,
    check_times,
    check_video_id,
)
from pipeline.data.annotations.parts.holding_out import HELD_OUT, held_out
from pipeline.data.annotations.parts.names import id_of_file, one_file_each
from pipeline.data.annotations.parts.rates import frames_to_seconds, no_frames
from pipeline.errors import UserError

__all__ = ["HELD_OUT", "read"]
_SEGMENT = ["video", "subset", "start", "end", "label"]


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
    tables = [
        _read_table(file, subset, inputs, notes)
        for file, subset in zip(files, subsets, strict=True)
    ]
    rows = pd.concat(tables, ignore_index=True)
    if not rows["happens"].any():
        raise UserError(
            f"{files[0]}: no annotation; each row must be video,start,end,label[,subset]"
        )
    if rows["subset"].isna().any():
        apart = held_out(rows["video"])
        rows["subset"] = np.where(rows["video"].isin(apart), eval_subset, train_subset)
        notes[HELD_OUT] = len(apart)
    videos = rows[["video", "subset"]].drop_duplicates(ignore_index=True)
    both = videos["video"][videos["video"].duplicated()]
    if len(both):
        raise UserError(f"{files[-1]}: video {both.iloc[0]} is in two subsets; a video has one")
    annotations = rows.loc[rows["happens"], _SEGMENT].reset_index(drop=True)
    stated = set(rows.loc[~rows["happens"], "video"])
    some = stated & set(annotations["video"]) if stated else set()
    notes["videos stated to have no segment, which have some"] = len(some)
    notes["videos stated to have no segment"] = len(stated - some)
    notes += spelled_twice(annotations["label"].tolist())
    labels = tuple(sorted(set(annotations["label"].tolist())))
    return Dataset(annotations, videos.assign(duration=np.nan, fps=np.nan), (labels,), +notes)


def _read_table(
    file: Path, subset: str | None, inputs: Inputs, notes: Counter[str]
) -> pd.DataFrame:
    rows = read_rows(file)
    require_heading(rows, file)
    columns = find_columns(rows.cells[0], file)
    rows = _without_remarks(rows, columns, notes)
    frame = as_frame(rows, file)
    table = pd.DataFrame(
        {role: frame.iloc[:, place] for role, place in columns.places.items()}, dtype=object
    )
    written = table["label"]
    for column in table.columns:
        # as objects: text of pandas' own kind is slow to walk through
        texts = [text.strip() for text in table[column].tolist()]
        table[column] = pd.Series(texts, table.index, dtype=object)
    notes += joined_blanks(written.tolist())
    empty = (table["start"] == "") & (table["end"] == "") & (table["label"] == "")
    table["happens"] = ~empty
    _name_videos(table, file, notes)
    _read_times(table, columns, rows.separator, file)
    _check_rows(table, subset, file)
    if columns.unit == FRAMES:
        happens = table["happens"]
        table.loc[happens, ["start", "end"]] = frames_to_seconds(
            table.loc[happens, ["video", "start", "end"]], {}, inputs, file
        )
    else:
        no_frames(inputs, file, "; if they are frames, name the columns start_frame and end_frame")
    if subset is not None:
        table["subset"] = subset
    elif "subset" not in table.columns:
        table["subset"] = None
    return table.astype({"start": float, "end": float})


def require_heading(rows: Rows, file: Path) -> None:
    """Refuse a file that begins with a segment. Raises UserError saying what the first line has to be."""
    if sum(is_number(cell) for cell in rows.cells[0]) >= 2:
        raise UserError(
            f"{file}, line {rows.lines[0]}: the first line must name the columns: "
            "video,start,end,label or video,start,end,label,subset"
        )


def _without_remarks(rows: Rows, columns: Columns, notes: Counter[str]) -> Rows:
    """The same without lines that begin with # and hold no times where times stand."""
    last = max(columns.places["start"], columns.places["end"])
    kept = [True] * len(rows.cells)
    for place, cells in enumerate(rows.cells[1:], start=1):
        if cells[0].lstrip().startswith("#"):
            times = [
                cells[columns.places[side]].strip()
                for side in ("start", "end")
                if len(cells) > last
            ]
            kept[place] = bool(times) and all(
                not text or text[0] in "0123456789+-.," for text in times
            )
    if all(kept):
        return rows
    notes["lines that begin with # and are not segments, ignored"] += kept.count(False)
    lines, cells_kept = compress(rows.lines, kept), compress(rows.cells, kept)
    return Rows(rows.separator, list(lines), list(cells_kept))


def _name_videos(table: pd.DataFrame, file: Path, notes: Counter[str]) -> None:
    """Ids for what may be names of files. Raises UserError if two files are one id."""
    ids = {name: id_of_file(name) for name in table["video"].unique()}
    one_file_each(ids.items(), str(file))
    both = sum(name != video and video in ids for name, video in ids.items())
    notes["videos named with and without the file extension, taken as the same"] += both
    lines = table.index[~table["video"].duplicated()]
    for line, video in zip(lines, ids.values(), strict=True):
        if not video:
            raise UserError(
                f"{file}, line {line}: names no video; a spreadsheet saves only the first of "
                "merged cells: write the name in every row"
            )
        check_video_id(video, f"{file}, line {line}")
    table["video"] = table["video"].map(ids)


def _read_times(table: pd.DataFrame, columns: Columns, separator: str, file: Path) -> None:
    happens = table["happens"]
    lines = table.index[happens].tolist()
    times = table.loc[happens, ["start", "end"]].to_numpy().ravel()
    if any("." in text for text in times.tolist()):
        separator = ","  # beside decimal points, commas may be of thousands
    for name in ("start", "end"):
        texts = table.loc[happens, name].tolist()
        values = np.array(seconds_column(texts, lines, name, file, separator), float)
        full = np.full(len(table), np.nan)
        full[happens.to_numpy()] = values / 1000 if columns.unit == MILLISECONDS else values
        table[name] = full


def _check_rows(table: pd.DataFrame, subset: str | None, file: Path) -> None:
    """Refuse the first row that is wrong. Raises UserError naming line and value."""
    segments = table[table["happens"]]
    start, end = segments["start"].to_numpy(), segments["end"].to_numpy()
    wrong = ~(np.isfinite(start) & np.isfinite(end) & (start >= 0) & (end >= start))
    for row in segments[wrong].itertuples():
        where = f"{file}, line {row.Index}"
        check_times(row.start, row.end, where)
        count = int((end < start).sum())
        others = f"; {count} of {len(start)} rows are like this" if count > 1 else ""
        fix = ": swap start and end" if 2 * count > len(start) and count > 1 else ""
        raise UserError(
            f"{where}: video {row.video} ends at {row.end}, before its start {row.start}{others}{fix}"
        )
    for line, label in segments["label"][~segments["label"].duplicated()].items():
        where = f"{file}, line {line}"
        if not label:
            raise UserError(f"{where}: video {segments.loc[line, 'video']} has no label")
        check_label(label, where)
    if subset is None and "subset" in table.columns and (table["subset"] == "").any():
        row = table[table["subset"] == ""].iloc[0]
        raise UserError(f"{file}, line {row.name}: video {row['video']} has no subset")
