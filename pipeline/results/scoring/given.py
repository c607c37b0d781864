"""Any detections or proposals to figures: official result files, and tables as the stages write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation import submission
from evaluation.errors import SubmissionError, TableError
from evaluation.result_rows import action_labels, check_range
from evaluation.ties import Ties
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import Dataset, load_annotations
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.results.scoring.best_f1 import best_f1
from pipeline.results.scoring.published import withheld
from pipeline.results.scoring.tasks import as_thresholds, recall_figures, score_tasks, truth_rows
from pipeline.results.scoring.unknown_videos import UnknownVideos, settle_videos
from pipeline.results.tables import read_given


@dataclass(frozen=True)
class Given:
    """A file to score, with its ground truth.

    `table` holds detections, or proposals where it has no label; `noted` what a report says of unknown videos.
    """

    dataset: Dataset
    truth: pd.DataFrame
    table: pd.DataFrame
    ties: Ties
    ignored: pd.DataFrame
    noted: dict[str, Any]


def read_scored(
    settings: DetectionConfig, path: Path, unknown_videos: UnknownVideos = "refuse"
) -> Given:
    """Read the annotations of `dataset.eval_subset` and a result file or a table, nothing else.

    `unknown_videos`: how to treat rows of videos that are not evaluated. Raises UserError if a row
    cannot be scored, naming file, video, row and value.
    """
    dataset = load_annotations(_without_training(settings.dataset), settings.ignored_labels)
    truth = truth_rows(settings.dataset, dataset)
    is_table = path.name.lower().endswith((".csv", ".csv.gz"))
    read = read_given(path) if is_table else _result_file(settings.dataset, dataset, path)
    settled = settle_videos(read, dataset, settings.dataset.eval_subset, path, unknown_videos)
    table = settled.table
    if "label" in read:
        table = _classed(table, settings.dataset, dataset, path) if is_table else table
        _require_classes(table, truth, path)
    return Given(
        dataset=dataset,
        truth=truth,
        table=table,
        ties=_ties(settings, is_table=is_table),
        ignored=dataset.ignored_rows(settings.dataset.eval_subset),
        noted=settled.as_json(unknown_videos),
    )


def score_file(
    settings: DetectionConfig, path: Path, unknown_videos: UnknownVideos = "refuse"
) -> dict[str, Any]:
    """mAP of a result file or a table of detections, AR@AN of one of proposals: plain JSON values, percent.

    As `read_scored` reads it, and raises.
    """
    return score_given(settings, read_scored(settings, path, unknown_videos), path)


def score_given(settings: DetectionConfig, given: Given, path: Path) -> dict[str, Any]:
    """The figures of a file that was read, as `score_file` gives them."""
    results: dict[str, Any] = {"iou": as_thresholds(settings.eval.iou), "tasks": {}}
    if "label" not in given.table:
        results["average_recall"] = recall_figures(given.truth, given.table, settings.eval)
        return results | given.noted
    truth, detections = given.truth, given.table
    how: dict[str, Any] = {"ties": given.ties, "ignored": given.ignored}
    results["tasks"] = score_tasks(truth, detections, given.dataset, settings.eval.iou, **how)
    results["best_f1"] = best_f1(truth, detections, **how)
    _say_left_out(results["tasks"], len(detections), path)
    if (said := withheld(settings.eval, settings.dataset, given.dataset)) is not None:
        say(said)
        results["published"] = False
    return results | {"ties": given.ties} | given.noted


def _ties(settings: DetectionConfig, *, is_table: bool) -> Ties:
    """The order of equal scores: a table of a run scores as it did in that run."""
    if settings.eval.ties == "auto":
        return "stable" if is_table else "official"
    return settings.eval.ties


def _require_classes(detections: pd.DataFrame, truth: pd.DataFrame, path: Path) -> None:
    if len(detections) and not detections["label"].isin(truth["label"]).any():
        raise UserError(
            f"{path}: none of its labels (for example {detections['label'].iloc[0]!r}) is in the "
            f"annotations ({truth['label'].iloc[0]!r}); give the annotations it was made for"
        )


def _say_left_out(tasks: dict[str, Any], rows: int, path: Path) -> None:
    leading = next(iter(tasks))
    left_out = tasks[leading]["of_other_classes"]
    if left_out:
        say(
            f"{path}: {leading} leaves out {left_out} of {rows} detections, of classes without ground truth"
        )
    ignored = max(tasks[leading].get("ignored", [0]))
    if ignored:
        say(
            f"{path}: {ignored} detections overlap a segment of eval.ignore_labels and do not count"
        )


def _without_training(settings: DatasetSettings) -> DatasetSettings:
    """The part of the dataset that scoring needs: of EPIC-KITCHENS no training annotations, durations or class names."""
    if settings.format != "epic_kitchens":
        return settings
    files, classes = settings.annotations, settings.classes
    update: dict[str, Any] = {"video_info": None}
    if isinstance(files, tuple) and len(files) == 2:
        update["annotations"] = files[1]
    missing = (
        [file for file in classes or () if isinstance(file, Path) and not file.is_file()]
        if isinstance(classes, tuple)
        else []
    )
    if missing:
        update["classes"] = None
        say(
            f"dataset.classes: {missing[0]} does not exist; the 97 verbs and 300 nouns are used by number"
        )
    return settings.model_copy(update=update)


def _result_file(settings: DatasetSettings, dataset: Dataset, path: Path) -> pd.DataFrame:
    """The detections of a result file; of one in ActivityNet's form without labels its proposals."""
    try:
        if settings.format == "epic_kitchens":
            verbs, nouns = map(len, dataset.heads)
            return submission.read_epic_kitchens(
                path, num_verbs=verbs, num_nouns=nouns, zero_length=True
            )
        return submission.read_activitynet(
            path, classes=_listed_classes(settings, dataset), zero_length=True, proposals=True
        )
    except SubmissionError as error:
        raise UserError(str(error)) from error


def _listed_classes(settings: DatasetSettings, dataset: Dataset) -> tuple[str, ...] | None:
    """The allowed classes; None without a list, since the ground truth may contain only some of them."""
    return (*dataset.heads[0], *dataset.ignored) if settings.classes else None


def _classed(
    table: pd.DataFrame, settings: DatasetSettings, dataset: Dataset, path: Path
) -> pd.DataFrame:
    """A table of detections with classes that are checked; EPIC-KITCHENS' are verb, noun and "verb,noun"."""
    if len(dataset.heads) == 1:
        classes = _listed_classes(settings, dataset)
        bad = ~table["label"].isin(classes) if classes is not None else pd.Series(dtype=bool)
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise UserError(
                f"{path}, row {row}: label {table['label'].iloc[row]!r} is not one of the classes; correct it or "
                "leave the detection out"
            )
        return table
    if not {"verb", "noun"} <= set(table.columns):
        raise UserError(
            f"{path}: no columns verb and noun, numbers of classes, as EPIC-KITCHENS has"
        )
    verb, noun = (table[name].to_numpy() for name in ("verb", "noun"))
    try:
        for name, values, head in zip(("verb", "noun"), (verb, noun), dataset.heads, strict=True):
            check_range(values, len(head), name, lambda row: f"{path}, row {row}")
    except (SubmissionError, TableError) as error:
        raise UserError(str(error)) from error
    wanted = action_labels(verb, noun)
    wrong = [row for row, (a, b) in enumerate(zip(table["label"], wanted, strict=True)) if a != b]
    if wrong:
        shown = table["label"].iloc[wrong[0]]
        raise UserError(f"{path}, row {wrong[0]}: label is {shown!r}; give {wanted[wrong[0]]!r}")
    return table
