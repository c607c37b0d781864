"""Trimmed data sets, a class a file: Kinetics' CSV, Something-Something's JSON, and plain lists.

Kinetics: `label,youtube_id,time_start,time_end,...` a row. Something-Something: `[{"id": ..., "template":
"Holding [something]"}, ...]`. A list: `PATH LABEL` or `PATH,LABEL` a line, without a heading.
A segment is a whole file: it starts at 0 and ends at infinity, which stands for the file's end.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.data.annotations.csv_files import float_column, read_csv
from pipeline.data.annotations.dataset import (
    Dataset,
    Inputs,
    check_label,
    check_times,
    check_video_id,
    segments_frame,
)
from pipeline.data.names import without_ending
from pipeline.errors import UserError
from pipeline.plain_files import read_json, read_text


def read_kinetics(inputs: Inputs) -> Dataset:
    """Read a training and a validation file (one file: validation).

    Either Kinetics' own CSV (`label,youtube_id,time_start,time_end,...`; a video is then the file
    `ID_000012_000022`), or a list without heading, `PATH LABEL` or `PATH,LABEL` a line. Numbers as labels
    are the numbers of the classes in the class file, if there is one. Raises UserError naming file,
    line and value.
    """
    classes = inputs.class_file()
    tables = [_kinetics_rows(file) for file in inputs.files]
    return _dataset(inputs, tables, _names(classes) if classes else None)


def read_something(inputs: Inputs) -> Dataset:
    """Read Something-Something-V2's training and validation JSON (one file: validation).

    The class file is its labels file, `{"Holding something": "0", ...}`; a template's brackets are left out.
    Raises UserError naming file, entry and value.
    """
    classes = inputs.class_file()
    tables = [
        _something_rows(file) if file.suffix == ".json" else _kinetics_rows(file)
        for file in inputs.files
    ]
    return _dataset(inputs, tables, _numbered(classes) if classes else None)


def _dataset(
    inputs: Inputs, tables: list[list[tuple[str, str]]], names: tuple[str, ...] | None
) -> Dataset:
    files = inputs.files
    if len(files) > 2:
        raise UserError("dataset.annotations: give a training and a validation file")
    chosen = inputs.subsets if len(files) == 2 else inputs.subsets[1:]
    known = set(names or ())
    rows: list[dict[str, Any]] = []
    for file, subset, table in zip(files, chosen, tables, strict=True):
        for video, label in table:
            if names is not None and label not in known:
                number = _number(label)
                if number is None or number >= len(names):
                    raise UserError(
                        f"{file}: video {video}: label {label!r} is not one of the classes"
                    )
                label = names[number]
            rows.append(
                {"video": video, "subset": subset, "start": 0.0, "end": math.inf, "label": label}
            )
    frame = segments_frame(rows, ("video", "subset", "start", "end", "label"))
    repeated = frame["video"][frame["video"].duplicated()]
    if len(repeated):
        raise UserError(f"{files[-1]}: video {repeated.iloc[0]} is listed twice; keep one")
    videos = frame[["video", "subset"]].assign(duration=math.nan, fps=math.nan)
    labels = names or tuple(sorted(set(frame["label"]), key=_by_number))
    return Dataset(frame, videos, (labels,), Counter())


def _by_number(label: str) -> tuple[int, str]:
    number = _number(label)
    return (-1 if number is None else number, label)


def _number(label: str) -> int | None:
    """The class number a label is, if it is one."""
    return int(label) if label.isdecimal() and len(label) < 10 else None


def _kinetics_rows(file: Path) -> list[tuple[str, str]]:
    try:
        first, _, _ = read_text(file).partition("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error}); see dataset.annotations") from error
    if "youtube_id" not in first:
        return _list_rows(file)
    frame = read_csv(file, ["label", "youtube_id", "time_start", "time_end"])
    starts, ends = float_column(frame, "time_start", file), float_column(frame, "time_end", file)
    for line, start, end in zip(frame.index, starts, ends, strict=True):
        check_times(start, end, f"{file}, line {line}")
    rows = zip(frame.index, frame["youtube_id"], frame["label"], starts, ends, strict=True)
    return [
        (
            check_video_id(f"{video}_{int(start):06d}_{int(end):06d}", f"{file}, line {line}"),
            check_label(label.strip(), f"{file}, line {line}"),
        )
        for line, video, label, start, end in rows
    ]


def _list_rows(file: Path) -> list[tuple[str, str]]:
    rows = []
    try:
        lines = read_text(file).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parts = line.strip().rsplit("," if "," in line else None, 1)
        if len(parts) < 2 or not all(part.strip() for part in parts):
            raise UserError(f"{file}, line {number}: {line[:80]!r} is not PATH LABEL")
        video = check_video_id(
            without_ending(Path(parts[0].strip()).name), f"{file}, line {number}"
        )
        rows.append((video, check_label(parts[1].strip(), f"{file}, line {number}")))
    return rows


def _something_rows(file: Path) -> list[tuple[str, str]]:
    entries = _json(file)
    if not isinstance(entries, list):
        raise UserError(f"{file}: holds no list of entries")
    rows = []
    for number, entry in enumerate(entries):
        where = f"{file}, entry {number}"
        template = entry.get("template") if isinstance(entry, dict) else None
        if not isinstance(template, str) or not isinstance(entry.get("id"), (str, int)):
            raise UserError(f"{where}: needs id and template (the test file has none)")
        video = check_video_id(str(entry["id"]), where)
        label = template.replace("[", "").replace("]", "")
        rows.append((video, check_label(label, where)))
    return rows


def _numbered(file: Path) -> tuple[str, ...]:
    content = _json(file)
    if not isinstance(content, dict) or sorted(map(str, content.values())) != sorted(
        map(str, range(len(content)))
    ):
        raise UserError(f"{file}: does not number its classes 0, 1, 2, ...")
    return tuple(sorted(content, key=lambda name: int(content[name])))


def _names(file: Path) -> tuple[str, ...]:
    try:
        names = read_text(file).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error}); see dataset.classes") from error
    return tuple(name.strip() for name in names if name.strip())


def _json(file: Path) -> Any:
    try:
        return read_json(file)
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not valid JSON ({error})") from error
