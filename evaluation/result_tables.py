"""Official result files to detection tables; `evaluation.submission` says their forms, and writes them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evaluation import result_rows as rows
from evaluation.errors import SubmissionError
from evaluation.result_entries import Contents, Entries, read_entries
from evaluation.video_ids import known_ids

EPIC_FIXED = {"version": "0.2", "challenge": "action_detection"}
EPIC_LEVELS = ("sls_pt", "sls_tl", "sls_td")
_ACTIVITYNET_ROW = {"label": str, "score": float, "segment": tuple[float, float]}
_EPIC_ROW = {
    "verb": int,
    "noun": int,
    "action": str,
    "score": float,
    "segment": tuple[float, float],
}
Columns = dict[str, np.ndarray]


def read_epic_kitchens(
    path: str | Path,
    *,
    videos: Collection[str] | None = None,
    num_verbs: int = 97,
    num_nouns: int = 300,
    zero_length: bool = False,
) -> pd.DataFrame:
    """Read an EPIC-KITCHENS-100 file: detections(video, start, end, label, score, verb, noun).

    Label is "verb,noun"; rows are in the file's order. `videos`: the ids that may appear (None:
    any); `zero_length`: take detections with start == end too.
    Raises SubmissionError naming file, video, row and value for anything the challenge would not
    take.
    """
    path, names = Path(path), rows.Numbers()
    pairs = rows.Pairs(names)

    def columns(entries: Entries) -> Columns:
        found = _common(entries, zero_length)
        verb, noun = rows.integer_column(entries, "verb"), rows.integer_column(entries, "noun")
        rows.check_range(verb, num_verbs, "verb", entries.where)
        rows.check_range(noun, num_nouns, "noun", entries.where)
        actions = rows.text_column(entries, "action")
        action = names.of(actions)
        if not np.array_equal(pairs.of(action), np.stack([verb, noun], axis=1)):
            rows.check_actions(actions, verb, noun, "action", entries.where)
        return found | {"label": action, "verb": verb, "noun": noun}

    contents, found = _read(path, _EPIC_ROW, columns)
    _check_head(contents.head, path)
    return _frame(path, contents, found, names, videos)


def read_activitynet(
    path: str | Path,
    *,
    videos: Collection[str] | None = None,
    classes: Collection[str] | None = None,
    zero_length: bool = False,
    proposals: bool = False,
) -> pd.DataFrame:
    """Read an ActivityNet or HACS file: detections(video, start, end, label, score), in its order.

    `videos`: the ids that may appear (None: any); an id that differs from one of them by a leading
    `v_` is given as written there. `classes`: the labels that may appear (None: any).
    `zero_length`: take detections with start == end too (the official ActivityNet sample has
    three). `proposals`: take a file without any label, as ActivityNet's proposal task has it, as
    proposals(video, start, end, score).
    Raises SubmissionError naming file, video, row and value for anything else.
    """
    path, names = Path(path), rows.Numbers()
    unlabelled: bool | None = None if proposals else False  # None: no row was seen yet

    def columns(entries: Entries) -> Columns:
        nonlocal unlabelled
        found = _common(entries, zero_length)
        if unlabelled is None and entries.rows:
            unlabelled = not rows.has_field(entries, 0, "label")
        if unlabelled:
            rows.require_without(entries, "label")
            return found
        labels = rows.text_column(entries, "label")
        rows.check_labels(labels, classes, entries.where)
        return found | {"label": names.of(labels)}

    contents, found = _read(path, _ACTIVITYNET_ROW, columns)
    return _frame(path, contents, found, names, videos)


def _check_head(head: Mapping[str, Any], path: Path) -> None:
    for key, wanted in EPIC_FIXED.items():
        if head.get(key) != wanted:
            raise SubmissionError(f'{path}: {key} is {head.get(key)!r}; give "{wanted}"')
    for key in EPIC_LEVELS:
        level = head.get(key)
        if type(level) is not int or not 0 <= level <= 5:
            raise SubmissionError(f"{path}: {key} is {level!r}; give a level, 0 to 5")


def _common(entries: Entries, zero_length: bool) -> Columns:
    """What both formats share: start, end, score."""
    start, end = rows.segment_columns(entries)
    score = rows.number_column(entries, "score")
    rows.check_segments(start, end, score, entries.where, zero_length)
    return {"start": start, "end": end, "score": score}


def _read(
    path: Path, fields: Mapping[str, Any], columns: Callable[[Entries], Columns]
) -> tuple[Contents, Columns]:
    """A result file, and the columns of all its detections."""
    parts: list[Columns] = []
    contents = read_entries(path, fields, lambda entries: parts.append(columns(entries)))
    # A column at a time, so that hardly more than one appears twice.
    found = {name: np.concatenate([part.pop(name) for part in parts]) for name in [*parts[0]]}
    return contents, found


def _frame(
    path: Path,
    contents: Contents,
    found: Columns,
    names: rows.Numbers,
    videos: Collection[str] | None,
) -> pd.DataFrame:
    """The table of detections or proposals; `found` has the labels as their numbers in `names`."""
    ids = np.array(known_ids(contents.videos, videos, str(path)), dtype=object)
    order = ["start", "end", "label", "score", "verb", "noun"]
    columns = {"video": pd.Series(np.repeat(ids, contents.counts), dtype=str)}
    for name in filter(found.__contains__, order):  # each array let go of when its column is made
        values = found.pop(name)
        if name == "label":
            columns[name] = pd.Series(np.array([*names], dtype=object)[values], dtype=str)
        else:
            columns[name] = pd.Series(values, copy=False)
    return pd.DataFrame(columns, copy=False)
