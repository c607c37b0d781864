"""Official result files to and from detection tables, checked both ways.

EPIC-KITCHENS-100 action detection (version 0.2):
`{"version", "challenge", "sls_pt", "sls_tl", "sls_td", "results": {VIDEO: [{"verb", "noun",
"action", "score", "segment": [start, end]}]}}`; ActivityNet and HACS:
`{"version", "external_data", "results": {VIDEO: [{"label", "score", "segment"}]}}`. Times are
seconds. Paths end in .json, .json.gz or .zip (the upload: one member, test.json).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from evaluation import result_rows as rows
from evaluation.errors import SubmissionError, TableError
from evaluation.json_files import write_result_file
from evaluation.result_entries import Contents, Entries, read_entries
from evaluation.tables import check_detections, segments
from evaluation.video_ids import known_ids

_EPIC_FIXED = {"version": "0.2", "challenge": "action_detection"}
_EPIC_LEVELS = ("sls_pt", "sls_tl", "sls_td")
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

    Label is "verb,noun"; rows stand in the file's order. `videos`: the ids that may appear (None:
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
    for key, wanted in _EPIC_FIXED.items():
        if contents.head.get(key) != wanted:
            raise SubmissionError(f'{path}: {key} is {contents.head.get(key)!r}; give "{wanted}"')
    for key in _EPIC_LEVELS:
        level = contents.head.get(key)
        if type(level) is not int or not 0 <= level <= 5:
            raise SubmissionError(f"{path}: {key} is {level!r}; give a level, 0 to 5")
    return _frame(path, contents, found, names, videos)


def write_epic_kitchens(
    path: str | Path,
    detections: pd.DataFrame,
    *,
    supervision: tuple[int, int, int],
    videos: Collection[str] | None = None,
    num_verbs: int = 97,
    num_nouns: int = 300,
) -> None:
    """Write detections(video, start, end, label, score, verb, noun) as an EPIC-KITCHENS-100 file.

    `supervision`: the levels (sls_pt pre-training, sls_tl training labels, sls_td training data), 0
    to 5, that the authors declare. `videos`: the ids that may appear (None: any).
    Raises SubmissionError naming the row and the value for anything the challenge would not take;
    no file is written then.
    """
    path = Path(path)
    if len(supervision) != 3 or any(type(x) is not int or not 0 <= x <= 5 for x in supervision):
        raise SubmissionError(
            f"{path}: supervision is {supervision!r}; give three levels from 0 to 5 (pt, tl, td)"
        )
    where = _table_where(path, detections)
    _check_table(path, detections, where)
    verb = _class_numbers(path, detections, "verb", num_verbs, where)
    noun = _class_numbers(path, detections, "noun", num_nouns, where)
    rows.check_actions(detections["label"].tolist(), verb, noun, "label", where)
    keys = ("verb", "noun", "action", "score")
    values = (verb.tolist(), noun.tolist(), rows.action_labels(verb, noun), _scores(detections))
    content = {
        **_EPIC_FIXED,
        **dict(zip(_EPIC_LEVELS, supervision, strict=True)),
        "results": _results(path, detections, videos, keys, values),
    }
    write_result_file(path, content)


def read_activitynet(
    path: str | Path,
    *,
    videos: Collection[str] | None = None,
    classes: Collection[str] | None = None,
    zero_length: bool = False,
) -> pd.DataFrame:
    """Read an ActivityNet or HACS file: detections(video, start, end, label, score), in its order.

    `videos`: the ids that may appear (None: any); an id that differs from one of them by a leading
    `v_` is given as written there. `classes`: the labels that may appear (None: any).
    `zero_length`: take detections with start == end too (the official ActivityNet sample has
    three).
    Raises SubmissionError naming file, video, row and value for anything else.
    """
    path, names = Path(path), rows.Numbers()

    def columns(entries: Entries) -> Columns:
        found = _common(entries, zero_length)
        labels = rows.text_column(entries, "label")
        rows.check_labels(labels, classes, entries.where)
        return found | {"label": names.of(labels)}

    contents, found = _read(path, _ACTIVITYNET_ROW, columns)
    return _frame(path, contents, found, names, videos)


def write_activitynet(
    path: str | Path,
    detections: pd.DataFrame,
    *,
    videos: Collection[str] | None = None,
    classes: Collection[str] | None = None,
    version: str = "VERSION 1.3",
    external_data: Mapping[str, Any] | None = None,
) -> None:
    """Write detections(video, start, end, label, score) as an ActivityNet or HACS file.

    `videos`: the ids that may appear (None: any), written as they are there, with or without `v_`;
    `classes`: the labels that may appear (None: any); `external_data`: what else was trained on, as
    the file shall say it.
    Raises SubmissionError naming the row and the value for anything the benchmark would not take;
    no file is written then.
    """
    path = Path(path)
    where = _table_where(path, detections)
    _check_table(path, detections, where)
    labels = detections["label"].tolist()
    row = next((i for i, label in enumerate(labels) if not isinstance(label, str)), None)
    if row is not None:
        raise SubmissionError(f"{where(row)}: label is {labels[row]!r}; give the class name")
    rows.check_labels(labels, classes, where)
    values = (labels, _scores(detections))
    results = _results(path, detections, videos, ("label", "score"), values)
    external = {"used": False, "details": ""} if external_data is None else dict(external_data)
    write_result_file(path, {"version": version, "external_data": external, "results": results})


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
    # A column at a time, so that hardly more than one is there twice.
    found = {name: np.concatenate([part.pop(name) for part in parts]) for name in [*parts[0]]}
    return contents, found


def _frame(
    path: Path,
    contents: Contents,
    found: Columns,
    names: rows.Numbers,
    videos: Collection[str] | None,
) -> pd.DataFrame:
    """The table of detections; `found` has the labels as their numbers in `names`."""
    ids = np.array(known_ids(contents.videos, videos, str(path)), dtype=object)
    order = [
        "start",
        "end",
        "label",
        "score",
        *(name for name in ("verb", "noun") if name in found),
    ]
    columns = {"video": pd.Series(np.repeat(ids, contents.counts), dtype=str)}
    for name in order:  # each array let go of when its column is made
        values = found.pop(name)
        if name == "label":
            columns[name] = pd.Series(np.array([*names], dtype=object)[values], dtype=str)
        else:
            columns[name] = pd.Series(values, copy=False)
    return pd.DataFrame(columns, copy=False)


def _table_where(path: Path, detections: pd.DataFrame) -> rows.Where:
    return lambda row: (
        f"{path}: video {detections['video'].iloc[row]}, row {row} of the detection table"
    )


def _check_table(path: Path, detections: pd.DataFrame, where: rows.Where) -> None:
    try:
        check_detections(detections)
    except TableError as error:
        raise SubmissionError(f"{path}: {error}") from error
    score = detections["score"].to_numpy(dtype=np.float64)
    rows.check_segments(*segments(detections), score, where, zero_length=False)


def _class_numbers(
    path: Path, detections: pd.DataFrame, name: str, limit: int, where: rows.Where
) -> np.ndarray:
    if name not in detections.columns or not is_integer_dtype(detections[name]):
        raise SubmissionError(f"{path}: the table has no column {name!r} of whole numbers")
    values: np.ndarray = detections[name].to_numpy(dtype=np.int64)
    rows.check_range(values, limit, name, where)
    return values


def _scores(detections: pd.DataFrame) -> list[float]:
    scores: list[float] = detections["score"].to_numpy(dtype=np.float64).tolist()
    return scores


def _results(
    path: Path,
    detections: pd.DataFrame,
    videos: Collection[str] | None,
    keys: tuple[str, ...],
    values: tuple[list[Any], ...],
) -> dict[str, list[dict[str, Any]]]:
    """The detections of each video, in the order of rows; the fields: `keys`, then segment."""
    code, names = pd.factorize(detections["video"])
    ids = known_ids([str(name) for name in names], videos, str(path))
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in ids}
    start, end = (column.tolist() for column in segments(detections))
    fields = (*keys, "segment")
    segment = map(list, zip(start, end, strict=True))
    lists = list(results.values())
    for video, *entry in zip(code.tolist(), *values, segment, strict=True):
        lists[video].append(dict(zip(fields, entry, strict=True)))
    return results
