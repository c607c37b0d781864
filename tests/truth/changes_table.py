"""Changes of the table of annotations."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

from truth import footage
from truth.change import Change
from truth.world import HEADING, ROWS, T0, T1, T2, V0, V1, World, write_rows

Rows = list[list[str]]


def _rows(edit: Callable[[Rows], Rows | None]) -> Callable[[World], object]:
    """The table with other rows; `edit` changes them in place or gives new ones."""

    def apply(world: World) -> None:
        rows = [list(row) for row in ROWS]
        write_rows(world.table, edit(rows) or rows)

    return apply


def _text(edit: Callable[[str], str]) -> Callable[[World], object]:
    """The table with another text."""

    def apply(world: World) -> None:
        text = edit(world.table.read_text())
        world.table.write_bytes(text.encode())

    return apply


def _cell(video: str, column: str, value: str, nth: int = 0) -> Callable[[World], object]:
    """One cell of a video's nth row."""

    def edit(rows: Rows) -> None:
        [row for row in rows if row[0] == video][nth][HEADING.index(column)] = value

    return _rows(edit)


def _without(video: str, nth: int) -> Callable[[World], object]:
    def edit(rows: Rows) -> None:
        rows.remove([row for row in rows if row[0] == video][nth])

    return _rows(edit)


def _at(name: str) -> Callable[[World], object]:
    def apply(world: World) -> None:
        world.table.rename(world.data / name)
        world.settings["dataset.annotations"] = str(world.data / name)

    return apply


def _gzipped(world: World) -> None:
    _at("annotations.csv.gz")(world)
    path = world.data / "annotations.csv.gz"
    path.write_bytes(gzip.compress(path.read_bytes()))


def _in_two(world: World) -> None:
    files = []
    for subset in ("training", "validation"):
        files.append(str(world.data / f"{subset}.csv"))
        rows = [row[:4] for row in ROWS if row[4] == subset]
        write_rows(Path(files[-1]), rows, HEADING[:4])
    world.settings["dataset.annotations"] = f"[{', '.join(files)}]"


def _columns_reordered(world: World) -> None:
    write_rows(world.table, [row[::-1] for row in ROWS], HEADING[::-1])


def _more_columns(world: World) -> None:
    write_rows(world.table, [[*row, "seen"] for row in ROWS], [*HEADING, "note"])


def _quoted(world: World) -> None:
    with world.table.open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([HEADING, *ROWS])


def _subset(video: str, subset: str) -> Callable[[World], object]:
    def edit(rows: Rows) -> None:
        for row in rows:
            row[4] = subset if row[0] == video else row[4]

    return _rows(edit)


def _nothing_happens(rows: Rows) -> None:
    for row in rows:
        if row[0] == V0:
            row[1:4] = ["", "", ""]


def _as_json(world: World) -> None:
    database: dict[str, dict[str, object]] = {}
    for video, start, end, label, subset in ROWS:
        entry = database.setdefault(video, {"subset": subset, "annotations": []})
        segments = cast("list[object]", entry["annotations"])
        segments.append({"segment": [float(start), float(end)], "label": label})
    path = world.data / "annotations.json"
    path.write_text(json.dumps({"database": database}))
    world.settings |= {"dataset.annotations": str(path), "dataset.format": "auto"}


def _times(rows: Rows, subset: str, factor: int) -> None:
    for row in rows:
        if row[4] == subset:
            row[1:3] = (str(round(float(time) * factor)) for time in row[1:3])


def _renamed(rows: Rows) -> None:
    for row in rows:
        row[3] = {"grow": "grow larger"}.get(row[3], row[3])


def _setting(key: str, value: str) -> Callable[[World], object]:
    """A setting that says which of the annotations are the data set."""

    def apply(world: World) -> None:
        world.settings[key] = value

    return apply


def _ambiguous(world: World) -> None:
    """A segment of no class, where nothing was ignored and nothing else is."""
    write_rows(world.table, [*ROWS, [V0, "0.000", "6.000", "?", "validation"]])
    world.settings["eval.ignore_labels"] = "['?']"


SAME: dict[str, Callable[[World], object]] = {
    "rows in another order": _rows(lambda rows: rows[::-1]),
    "rows mixed": _rows(lambda rows: rows[1::2] + rows[::2]),
    "columns in another order": _columns_reordered,
    "another name": _at("other.csv"),
    "gzipped": _gzipped,
    "in two files": _in_two,
    "CRLF": _text(lambda text: text.replace("\n", "\r\n")),
    "all quoted": _quoted,
    "a BOM": _text(lambda text: "\ufeff" + text),
    "UTF-16": lambda world: world.table.write_bytes(world.table.read_text().encode("utf-16")),
    "semicolons and decimal commas": _text(lambda text: text.replace(",", ";").replace(".", ",")),
    "capital headings by other names": _text(
        lambda text: text.replace("start,end", "Start,Stop", 1)
    ),
    "empty rows between": _text(lambda text: text.replace("\n", "\n\n,,,,\n")),
    "names of files": _text(lambda text: re.sub(r"(?m)^(\w+_\d+),", r"\1.mp4,", text)),
    "hh:mm:ss": _text(lambda text: re.sub(r"\b(\d)\.(\d{3})\b", r"00:00:0\1.\2", text)),
    "as ActivityNet's JSON, detected by itself": _as_json,
    "2.000 as 2": _text(lambda text: text.replace("2.000", "2").replace("5.000", "5.")),
    "0.500 as 5e-1": _text(lambda text: text.replace(",0.500,", ",5e-1,")),
    "one more column": _more_columns,
    "no newline at the end": _text(str.rstrip),
    "more newlines at the end": _text(lambda text: text + "\n\n"),
    "blanks round labels": _text(lambda text: text.replace("grow", " grow ")),
    "blanks round times": _text(lambda text: text.replace("1.500", " 1.500 ")),
    "a training row twice": _rows(lambda rows: [*rows, rows[0]]),
    "touched": lambda world: footage.touch(world.table),
    "linked": lambda world: footage.link(world.table),
}
# Changes of evaluation rows: the figures are another matter, all else stays.
MEASURED: dict[str, tuple[Callable[[World], object], str]] = {
    "a validation label corrected": (_cell(V0, "label", "grow"), V0),
    "a validation time moved": (_cell(V0, "start", "1.000"), V0),
    "a validation row added": (
        _rows(lambda rows: [*rows, [V0, "0.500", "2.250", "grow", "validation"]]),
        V0,
    ),
    "a validation row twice": (_rows(lambda rows: [*rows, rows[4]]), V0),
    "a validation row removed": (_without(V1, 0), V1),
    "a validation video in which nothing happens": (_rows(_nothing_happens), V0),
}
TRAINED: dict[str, tuple[Callable[[World], object], str]] = {
    "a training label corrected": (_cell(T0, "label", "shrink"), T0),
    "a training time moved": (_cell(T2, "end", "4.500"), T2),
    "a training row added": (
        _rows(lambda rows: [*rows, [T0, "4.500", "6.000", "shrink", "training"]]),
        T0,
    ),
    "a training row removed": (_without(T1, 0), T1),
    "a training video removed": (_without(T0, 0), T0),
    "a validation video for training": (_subset(V1, "training"), V1),
    "a training video for validation": (_subset(T0, "validation"), T0),
    "a class only in validation": (_cell(V0, "label", "turn"), "class names"),
}
REFUSED: dict[str, tuple[Callable[[World], object], str]] = {
    "deleted": (lambda world: world.table.unlink(), "annotations.csv"),
    "emptied": (_text(lambda text: ""), "annotations.csv"),
    "no rows": (_text(lambda text: text.splitlines()[0]), "annotations.csv"),
    "a time that is none": (_cell(V0, "start", "soon"), "soon"),
    "an end before its start": (_cell(T0, "end", "0.5"), T0),
    "a validation video without a file": (
        _rows(lambda rows: [*rows, ["validation_008", "1", "2", "grow", "validation"]]),
        "validation_008",
    ),
    "training times in milliseconds": (_rows(lambda rows: _times(rows, "training", 1000)), T0),
    "validation times in frames": (_rows(lambda rows: _times(rows, "validation", 15)), V0),
    "a video in both subsets": (_cell(V1, "subset", "training"), V1),
}

STOP = {"outcome": "stops", "first": ("finetune",), "must_differ": True}
CHANGES = [Change(f"table: {what}", apply, videos=()) for what, apply in SAME.items()]
CHANGES += [
    Change(f"table: {what}", apply, first=("eval",), videos=(), says=(video,), must_differ=True)
    for what, (apply, video) in MEASURED.items()
]
CHANGES += [
    Change(f"table: {what}", apply, says=(says,), **STOP) for what, (apply, says) in TRAINED.items()
]
CHANGES += [
    Change(f"table: {what}", apply, "refused", says=(says,))
    for what, (apply, says) in REFUSED.items()
]
CHANGES += [
    Change(
        "table: a validation video removed",
        _without(V0, 0),
        first=("proposals", "classify", "eval"),
        videos=(),
        says=(V0,),
        must_differ=True,
    ),
    Change(
        "table: a validation video excluded",
        _setting("dataset.exclude_videos", f"[{V0}]"),
        first=("proposals", "classify", "eval"),
        videos=(),
        says=(V0,),
        must_differ=True,
    ),
    Change(
        "table: a training video excluded",
        _setting("dataset.exclude_videos", f"[{T0}]"),
        says=(T0,),
        **STOP,
    ),
    Change(
        "table: a label ignored",
        _setting("eval.ignore_labels", "[grow]"),
        says=("class names",),
        may=("bmn", "proposals", "classify"),
        **STOP,
    ),
    Change("table: an ignored segment", _ambiguous, first=("eval",), videos=(), says=(V0,)),
    Change(
        "table: a label renamed everywhere",
        _rows(_renamed),
        says=("class names",),
        may=("bmn", "proposals", "classify"),
        **STOP,
    ),
    Change(
        "table: a validation label corrected where the epoch is chosen by it",
        _cell(V0, "label", "grow"),
        "stops",
        first=("finetune",),
        may=("bmn", "proposals", "classify", "eval"),
        says=(V0,),
        base="best",
    ),
    Change(
        "table: a validation time moved where the epoch is chosen by it",
        _cell(V0, "start", "1.000"),
        "stops",
        first=("finetune",),
        may=("bmn", "proposals", "classify", "eval"),
        says=(V0,),
        base="best",
    ),
    Change(
        "table: rows in another order where the epoch is chosen by them",
        SAME["rows in another order"],
        videos=(),
        base="best",
    ),
]
