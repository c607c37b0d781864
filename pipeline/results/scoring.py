"""Detections to mAP, and the official result files: what the eval stage and `tada-loc score` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation import submission
from evaluation.detection import DetectionMap, detection_map
from evaluation.errors import SubmissionError, TableError
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.detection import EvalSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import Dataset, load_annotations
from pipeline.errors import UserError
from pipeline.printing import printable
from pipeline.progress import say

SUBMISSION = "submission.json"


def score_file(settings: DetectionConfig, path: Path) -> dict[str, Any]:
    """mAP of an official result file, whoever made it, as plain JSON values in percent.

    Reads the annotations of `dataset.eval_subset` and the file, nothing else. Raises UserError naming
    file, video, row and value where one of them cannot be scored.
    """
    dataset = load_annotations(_without_training(settings.dataset))
    truth = truth_rows(settings.dataset, dataset)
    detections = _read_file(settings.dataset, dataset, path)
    if len(detections) and not detections["label"].isin(truth["label"]).any():
        raise UserError(
            f"{path}: none of its labels (for example {detections['label'].iloc[0]!r}) is in the "
            f"annotations ({truth['label'].iloc[0]!r}); give the annotations it was made for"
        )
    tasks = score_tasks(truth, detections, dataset, settings.eval.iou)
    leading = next(iter(tasks))
    left_out = tasks[leading]["of_other_classes"]
    if left_out:
        say(
            f"{path}: {leading} leaves out {left_out} of {len(detections)} detections, of classes "
            "without ground truth"
        )
    return {"iou": as_thresholds(settings.eval.iou), "tasks": tasks}


def truth_rows(settings: DatasetSettings, dataset: Dataset) -> pd.DataFrame:
    """The segments to evaluate against, every row as annotated. Raises UserError where there is none."""
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
) -> dict[str, Any]:
    """mAP and AP per class (percent) of each task, the leading one first.

    Raises UserError for tables that cannot be scored.
    """
    tasks = {}
    for name, column in task_columns(dataset).items():
        names = dataset.heads[0 if name != "noun" else 1] if name != "action" else None
        try:
            result = detection_map(
                truth.assign(label=truth[column]),
                detections.assign(label=detections[column]),
                tious,
            )
        except TableError as error:
            raise UserError(str(error)) from error
        tasks[name] = _as_json(result, names)
    return tasks


def task_columns(dataset: Dataset) -> dict[str, str]:
    """The tasks mAP is reported for, and the column that holds their class; the leading one first."""
    if len(dataset.heads) == 2:
        return {"action": "label", "verb": "verb", "noun": "noun"}
    return {"mAP": "label"}


def as_thresholds(tious: Sequence[float]) -> list[float]:
    """Thresholds as they are written and compared: without what their spacing rounds."""
    return [round(tiou, 10) for tiou in tious]


def map_table(results: dict[str, Any], settings: EvalSettings) -> str:
    """The mAP table a user sees: a row a task, a column a threshold, the average last.

    The paper's row, of the network `eval.paper` was written for, stands under ours with the figures of
    the same thresholds, its average only where ours is over the same ones.
    """
    columns = [f"{iou:g}" for iou in results["iou"]]
    same = settings.paper_iou in (None, ()) or as_thresholds(settings.paper_iou) == results["iou"]
    rows: list[tuple[str, list[float | None]]] = []
    for name, task in results["tasks"].items():
        rows.append((name, [*task["map"], task["average"]]))
        paper = settings.paper.get(name, {})
        known = [paper.get(column) for column in [*columns, *(["average"] if same else [])]]
        if any(value is not None for value in known):
            rows.append((f"{name}, the paper", known if same else [*known, None]))
    width = max(len("tIoU"), *(len(name) for name, _ in rows))
    titles = [*(f"@{column}" for column in columns), "average"]
    lines = ["tIoU".ljust(width) + "".join(title.rjust(9) for title in titles)]
    for name, values in ((printable(name), values) for name, values in rows):
        cells = [("-" if value is None else f"{value:.2f}").rjust(9) for value in values]
        lines.append(name.ljust(width) + "".join(cells))
    recall = results.get("average_recall", {})
    if recall:
        lines.append(recall_line(recall))
    return "\n".join(lines)


def recall_line(recall: Mapping[str, float]) -> str:
    """AR@AN of proposals in percent, as a user sees it."""
    return "proposals: " + "  ".join(f"AR@{n} {value:.2f}" for n, value in recall.items())


def write_result_files(
    settings: DetectionConfig, dataset: Dataset, detections: pd.DataFrame, folder: Path
) -> list[Path]:
    """Write a run's detections as its benchmark takes them, checked; gives the files written.

    EPIC-KITCHENS-100: submission.json and submission.zip, the upload; ActivityNet and HACS:
    submission.json; a table of one's own has no official form. Detections of no length, which no
    benchmark takes, are left out and said. Raises UserError for anything else it would not take.
    """
    if settings.dataset.format not in {"activitynet", "epic_kitchens"}:
        return []
    videos = dataset.video_ids(settings.dataset.eval_subset)
    kept = detections[detections["start"] < detections["end"]]
    if len(kept) < len(detections):
        say(f"{SUBMISSION}: {len(detections) - len(kept)} detections of no length left out")
    path = folder / SUBMISSION
    try:
        if settings.dataset.format == "activitynet":
            submission.write_activitynet(
                path,
                kept,
                videos=videos,
                classes=dataset.heads[0],
                external_data=_external_data(settings),
            )
            return [path]
        paths = [path, path.with_suffix(".zip")]
        for file in paths:
            submission.write_epic_kitchens(
                file,
                kept,
                supervision=settings.eval.sls,
                videos=videos,
                num_verbs=len(dataset.heads[0]),
                num_nouns=len(dataset.heads[1]),
            )
    except SubmissionError as error:
        raise UserError(str(error)) from error
    return paths


def _without_training(settings: DatasetSettings) -> DatasetSettings:
    """The part of the dataset that scoring needs: no training annotations, durations or class names."""
    if settings.format != "epic_kitchens":
        return settings.model_copy(update={"video_info": None})
    files, classes = settings.annotations, settings.classes
    update: dict[str, Any] = {"video_info": None}
    if isinstance(files, tuple) and len(files) == 2:
        update["annotations"] = files[1]
    missing = (
        [file for file in classes or () if not file.is_file()] if isinstance(classes, tuple) else []
    )
    if missing:
        update["classes"] = None
        say(f"dataset.classes: {missing[0]} is not there; the 97 verbs and 300 nouns go by number")
    return settings.model_copy(update=update)


def _read_file(settings: DatasetSettings, dataset: Dataset, path: Path) -> pd.DataFrame:
    videos = dataset.video_ids(settings.eval_subset)
    try:
        if settings.format == "epic_kitchens":
            verbs, nouns = map(len, dataset.heads)
            return submission.read_epic_kitchens(
                path, videos=videos, num_verbs=verbs, num_nouns=nouns, zero_length=True
            )
        # Without a list of the classes, those of the ground truth may be a part of them.
        classes = dataset.heads[0] if settings.classes else None
        return submission.read_activitynet(path, videos=videos, classes=classes, zero_length=True)
    except SubmissionError as error:
        raise UserError(str(error)) from error


def _external_data(settings: DetectionConfig) -> dict[str, Any]:
    """What a result file declares of data other than the benchmark's."""
    weights, scores = settings.backbone.pretrained, settings.classify.scores
    parts = []
    if weights and settings.finetune.source == "video":
        parts.append(f"classifier started from {Path(weights).name}")
    if scores is not None:
        parts.append(f"class scores of videos from {scores.name}")
    return {"used": bool(parts), "details": "; ".join(parts)}


def _as_json(result: DetectionMap, names: tuple[str, ...] | None) -> dict[str, Any]:
    per_class = {}
    for label, row in zip(result.classes, result.ap, strict=True):
        name = names[int(label)] if names and not isinstance(label, str) else str(label)
        per_class[name] = [100 * float(value) for value in row]
    return {
        "map": [100 * float(value) for value in result.map],
        "average": 100 * float(result.average),
        "of_other_classes": result.dropped,
        "per_class": per_class,
    }
