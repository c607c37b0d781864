"""The result file of a run, in its benchmark's format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from evaluation import submission
from evaluation.errors import SubmissionError
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import Dataset
from pipeline.errors import UserError
from pipeline.progress import say

SUBMISSION = "submission.json"


def write_result_files(
    settings: DetectionConfig, dataset: Dataset, detections: pd.DataFrame, folder: Path
) -> list[Path]:
    """Write a run's detections as its benchmark takes them, checked; gives the files written.

    EPIC-KITCHENS-100: submission.json and submission.zip, the upload; other data sets with labels: submission.json in
    ActivityNet's form, which HACS takes too; a table of one's own has no official form. Detections of no length,
    which no benchmark takes, are left out and reported. Raises UserError for anything else it would not take.
    """
    if settings.dataset.format == "table":
        return []
    videos = dataset.video_ids(settings.dataset.eval_subset)
    kept = detections[detections["start"] < detections["end"]]
    if len(kept) < len(detections):
        say(f"{SUBMISSION}: {len(detections) - len(kept)} detections of no length left out")
    path = folder / SUBMISSION
    try:
        if settings.dataset.format != "epic_kitchens":
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


def _external_data(settings: DetectionConfig) -> dict[str, Any]:
    """What a result file declares of data other than the benchmark's."""
    weights, scores = settings.backbone.begins_with, settings.classify.scores
    parts = []
    if weights and settings.finetune.source == "video":
        parts.append(f"classifier started from {weights}")
    if scores is not None:
        parts.append(f"class scores of videos from {scores.name}")
    return {"used": bool(parts), "details": "; ".join(parts)}
