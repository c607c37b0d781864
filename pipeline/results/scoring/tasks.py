"""Tables of detections and of proposals to figures, in percent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from evaluation.detection import DetectionMap, detection_map
from evaluation.errors import TableError
from evaluation.recall import average_recall
from evaluation.ties import Ties
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.detection import EvalSettings
from pipeline.data.annotations import Dataset
from pipeline.errors import UserError


def truth_rows(settings: DatasetSettings, dataset: Dataset) -> pd.DataFrame:
    """The segments to evaluate against, every row as annotated. Raises UserError if there is none."""
    truth = dataset.rows(settings.eval_subset)
    if truth.empty:
        raise UserError(
            f"dataset.eval_subset {settings.eval_subset!r}: no annotation to evaluate against"
        )
    return truth


def score_tasks(
    truth: pd.DataFrame,
    detections: pd.DataFrame,
    dataset: Dataset,
    tious: Sequence[float],
    *,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """mAP and AP per class (percent) of each task, the main one first.

    `ties`: the order of equal scores; `ignored`: segments that count neither as right nor as wrong when detected. Raises
    UserError for tables that cannot be scored.
    """
    tasks = {}
    for name, column in task_columns(dataset).items():
        try:
            result = detection_map(
                truth.assign(label=truth[column]),
                detections.assign(label=detections[column]),
                tious,
                ties=ties,
                ignored=ignored,
            )
        except TableError as error:
            raise UserError(str(error)) from error
        tasks[name] = _as_json(result, task_names(dataset, name))
    return tasks


def recall_figures(
    truth: pd.DataFrame, proposals: pd.DataFrame, settings: EvalSettings
) -> dict[str, float]:
    """AR@AN in percent, by AN as text. Raises UserError for tables that cannot be scored."""
    try:
        recall = average_recall(truth, proposals, settings.iou, settings.proposals_at)
    except TableError as error:
        raise UserError(str(error)) from error
    return {
        str(count): 100 * float(value)
        for count, value in zip(settings.proposals_at, recall.average, strict=True)
    }


def task_columns(dataset: Dataset) -> dict[str, str]:
    """The tasks mAP is reported for, and the column that holds their class; the main one first."""
    if len(dataset.heads) == 2:
        return {"action": "label", "verb": "verb", "noun": "noun"}
    return {"mAP": "label"}


def task_names(dataset: Dataset, task: str) -> tuple[str, ...] | None:
    """The names of a task's classes; None if its labels are their own, as pairs of verb and noun are."""
    return dataset.heads[0 if task != "noun" else 1] if task != "action" else None


def as_thresholds(tious: Sequence[float]) -> list[float]:
    """Thresholds as they are written and compared: without rounding errors of their spacing."""
    return [round(tiou, 10) for tiou in tious]


def _as_json(result: DetectionMap, names: tuple[str, ...] | None) -> dict[str, Any]:
    per_class = {}
    for label, row in zip(result.classes, result.ap, strict=True):
        name = names[int(label)] if names and not isinstance(label, str) else str(label)
        per_class[name] = [100 * float(value) for value in row]
    left_out = {"ignored": result.ignored.tolist()} if result.ignored.any() else {}
    return {
        "map": [100 * float(value) for value in result.map],
        "average": 100 * float(result.average),
        "of_other_classes": result.dropped,
        "per_class": per_class,
        **left_out,
    }
