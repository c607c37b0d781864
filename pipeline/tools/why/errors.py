"""Error types of detections as plain values, for each task: percent, and the names people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from evaluation.error_kinds import KINDS
from evaluation.error_types import BACKGROUND, Breakdown, ErrorTypes, error_types
from evaluation.errors import TableError
from evaluation.ties import Ties
from pipeline.data.annotations import Dataset
from pipeline.errors import UserError
from pipeline.prediction.found import names_of
from pipeline.results.scoring import task_columns, task_names


def errors_of(
    truth: pd.DataFrame,
    detections: pd.DataFrame,
    dataset: Dataset,
    tiou: float,
    *,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """By task (mAP; action, verb, noun) the kinds of errors, their counts and the points each costs.

    A task: map, right, counts and gains by kind, false_positives, false_negatives (points), by_length,
    by_instances and by_class: lists of name, segments, found, counts and gains; lengths and instances
    have `up_to`. Raises UserError for tables that cannot be scored.
    """
    tasks = {}
    for name, column in task_columns(dataset).items():
        try:
            found = error_types(
                truth.assign(label=truth[column]),
                detections.assign(label=detections[column]),
                tiou,
                ties=ties,
                ignored=ignored,
            )
        except TableError as error:
            raise UserError(str(error)) from error
        tasks[name] = _plain(found, task_names(dataset, name), names_of(dataset.heads, truth))
    return {"at": tiou, "background": BACKGROUND, "tasks": tasks}


def _plain(
    found: ErrorTypes, names: tuple[str, ...] | None, pairs: Mapping[str, str]
) -> dict[str, Any]:
    by_class = _groups(found.by_class)
    for group in by_class:
        label = group["name"]
        numbered = names is not None and not isinstance(label, str)
        group["name"] = names[int(label)] if names and numbered else pairs.get(label, str(label))
    return {
        "map": 100 * found.map,
        "right": found.right,
        "detections": found.counted,
        "counts": _by_kind(found.counts),
        "gains": _by_kind(100 * found.gains),
        "false_positives": 100 * found.false_positives,
        "false_negatives": 100 * found.false_negatives,
        "by_length": _groups(found.by_length),
        "by_instances": _groups(found.by_instances),
        "by_class": by_class,
    }


def _groups(of: Breakdown) -> list[dict[str, Any]]:
    groups = []
    for place, name in enumerate(of.names):
        up_to = {"up_to": float(of.edges[place])} if place < len(of.edges) else {}
        group = {
            "name": name,
            **up_to,
            "segments": int(of.segments[place]),
            "found": int(of.found[place]),
            "counts": _by_kind(of.counts[place]),
            "gains": _by_kind(100 * of.gains[place]),
        }
        groups.append(group)
    return groups


def _by_kind(values: np.ndarray) -> Mapping[str, float]:
    return dict(zip(KINDS, values.tolist(), strict=True))
