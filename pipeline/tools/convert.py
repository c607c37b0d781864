"""`tada-loc convert`: annotations of any form that is read to a table of one's own or ActivityNet's JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.data.annotations.dataset import Dataset, Inputs, check_label
from pipeline.data.annotations.formats import AUTO, FORMATS, expanded, format_of, read_format
from pipeline.data.annotations.parts.holding_out import HELD_OUT
from pipeline.errors import UsageError, UserError
from pipeline.run_folder.files import require_free, write_text

_SUBSETS = ("training", "validation")


def convert(
    annotations: Sequence[Path],
    target: Path,
    *,
    form: str = AUTO,
    inputs: Inputs | None = None,
    subset: str | None = None,
    force: bool = False,
) -> list[str]:
    """Read annotations and write them to `target` whole; returns the lines to print.

    `target` ends in .csv or .json. `inputs` says the classes, the videos and the rate; its files are not
    looked at. `subset` is that of all videos where the annotations name none. Raises UserError for what
    is wrong with the annotations, and where `target` exists and `force` is not given.
    """
    kind = target.suffix.lower()
    if kind not in {".csv", ".json"}:
        raise UsageError(f"--to {target}: name a .csv (a table) or a .json (ActivityNet's form)")
    files = expanded(annotations)
    _check_target(target, files, force=force)
    name = format_of(files) if form == AUTO else form
    given = inputs or Inputs(files)
    inputs = replace(given, files=files, subsets=_SUBSETS, without_segments=True)
    dataset = _whole_names(read_format(name, inputs))
    if (dataset.annotations["end"] == math.inf).any():
        raise UserError(
            f"{files[0]}: {FORMATS[name].title} has one class per whole file and no segments to convert"
        )
    named = HELD_OUT not in dataset.notes
    dataset = _readable(dataset) if kind == ".csv" else dataset
    assumed = name == "epic_kitchens" and len(files) == 1  # whose subset its name alone says
    dataset = _with_subset(dataset, subset, files[0], named=named and not assumed)
    named = named or subset is not None
    text = _table(dataset, named) if kind == ".csv" else _json(dataset)
    write_text(target, text)
    return _told(dataset, target, FORMATS[name].title, len(files), kept=named or kind == ".json")


def _check_target(target: Path, files: Sequence[Path], *, force: bool) -> None:
    require_free(target, force=force)
    if any(file.exists() and target.exists() and file.samefile(target) for file in files):
        raise UserError(f"{target}: is also the input; choose another with --to")


def _whole_names(dataset: Dataset) -> Dataset:
    """The same with labels that stand for themselves: of verbs and nouns, `verb,noun` by their names."""
    rows = dataset.annotations
    if len(dataset.heads) == 2:
        verbs, nouns = dataset.heads
        pairs = zip(rows["verb"], rows["noun"], strict=True)
        rows = rows.assign(label=[f"{verbs[verb]},{nouns[noun]}" for verb, noun in pairs])
    for label in rows["label"].unique():
        check_label(label, "dataset.classes")
    return Dataset(rows, dataset.videos, dataset.heads, dataset.notes)


def _readable(dataset: Dataset) -> Dataset:
    """The same without segments that end before they start, which a table is refused for."""
    rows = dataset.annotations
    turned = rows["end"] < rows["start"]
    if not turned.any():
        return dataset
    dataset.notes["segments that end before they start, left out"] += int(turned.sum())
    kept = rows[~turned].reset_index(drop=True)
    return Dataset(kept, dataset.videos, dataset.heads, dataset.notes)


def _with_subset(dataset: Dataset, subset: str | None, file: Path, *, named: bool) -> Dataset:
    """The same with `subset` as that of every video. Raises UsageError if the annotations name subsets."""
    if subset is None:
        return dataset
    if not subset.strip():
        raise UsageError("--subset: is empty; name a subset")
    known = sorted(set(dataset.videos["subset"]))
    if named:
        raise UsageError(f"--subset {subset}: {file} names subsets itself: {', '.join(known)}")
    del dataset.notes[HELD_OUT]
    return Dataset(
        dataset.annotations.assign(subset=subset),
        dataset.videos.assign(subset=subset),
        dataset.heads,
        dataset.notes,
    )


def _table(dataset: Dataset, subsets: bool) -> str:
    """The segments as a table, and a row of each video without any."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["video", "start", "end", "label", *(["subset"] if subsets else [])])
    for video, subset, rows in _by_video(dataset):
        last = [subset] if subsets else []
        writer.writerows([video, repr(s), repr(e), label, *last] for s, e, label in rows)
        if not rows:
            writer.writerow([video, "", "", "", *last])
    return stream.getvalue()


def _json(dataset: Dataset) -> str:
    """The segments as ActivityNet has them; a length or a rate that is not known is left out."""
    told = dataset.videos.drop_duplicates("video").set_index("video")[["duration", "fps"]]
    database: dict[str, Any] = {}
    for video, subset, rows in _by_video(dataset):
        entry: dict[str, Any] = {"subset": subset}
        for key in ("duration", "fps"):
            value = float(told.loc[video, key])
            entry |= {key: value} if math.isfinite(value) else {}
        entry["annotations"] = [{"segment": [s, e], "label": label} for s, e, label in rows]
        database[video] = entry
    return json.dumps({"database": database}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _by_video(dataset: Dataset) -> list[tuple[str, str, list[tuple[float, float, str]]]]:
    """Each video with its subset and segments, in the files' order."""
    rows: dict[str, list[tuple[float, float, str]]] = {v: [] for v in dataset.videos["video"]}
    table = dataset.annotations
    columns = (table[name].tolist() for name in ("video", "start", "end", "label"))
    for video, start, end, label in zip(*columns, strict=True):
        rows[video].append((float(start), float(end), label))
    subset_of = dict(zip(dataset.videos["video"], dataset.videos["subset"], strict=True))
    return [(video, subset_of[video], segments) for video, segments in rows.items()]


def _told(dataset: Dataset, target: Path, title: str, files: int, *, kept: bool) -> list[str]:
    table: pd.DataFrame = dataset.annotations
    with_any = table["video"].nunique()
    empty = len(dataset.videos) - with_any
    counts = dataset.videos["subset"].value_counts().sort_index()
    shown = ", ".join(f"{name} {count}" for name, count in counts.items())
    lines = [
        f"{target}: {len(dataset.videos)} videos, {len(table)} segments, {table['label'].nunique()} labels "
        f"from {title} ({files} {'file' if files == 1 else 'files'})"
    ]
    if empty:
        lines.append(f"{empty} of the videos without segments")
    if not len(table):
        lines.append(
            "nothing happens in them; put the rows beside those of videos in which something does"
        )
    held_out = HELD_OUT if not kept else None  # a table leaves that to its reader
    lines += [f"{count} {line}" for line, count in dataset.notes.items() if line != held_out]
    if kept:
        lines.append(f"videos by subset: {shown}")
    else:
        lines.append(
            "no subsets are named: training holds out every fifth video; --subset NAME sets one"
        )
    return lines
