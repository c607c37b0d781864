"""Official result files to and from detection tables, checked both ways.

EPIC-KITCHENS-100 action detection (version 0.2):
`{"version", "challenge", "sls_pt", "sls_tl", "sls_td", "results": {VIDEO: [{"verb", "noun",
"action", "score", "segment": [start, end]}]}}`; ActivityNet and HACS:
`{"version", "external_data", "results": {VIDEO: [{"label", "score", "segment"}]}}`. Times are
seconds. Paths end in .json, .json.gz or .zip (the upload: one member, test.json).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from evaluation import result_rows as rows
from evaluation.errors import SubmissionError, TableError
from evaluation.json_files import write_result_file
from evaluation.result_tables import (
    EPIC_FIXED,
    EPIC_LEVELS,
    read_activitynet,
    read_epic_kitchens,
)
from evaluation.tables import check_detections, segments
from evaluation.video_ids import known_ids

__all__ = ["read_activitynet", "read_epic_kitchens", "write_activitynet", "write_epic_kitchens"]


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
        **EPIC_FIXED,
        **dict(zip(EPIC_LEVELS, supervision, strict=True)),
        "results": _results(path, detections, videos, keys, values),
    }
    write_result_file(path, content)


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
