"""Anyone's detections as the report shows them: without a run, what only a run knows is left out."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from evaluation.errors import TableError
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import Dataset
from pipeline.data.videos.finding import videos_there
from pipeline.errors import UserError
from pipeline.pages.report_values import Durations, Facts, MapRow, Report, Videos
from pipeline.prediction.found import names_of
from pipeline.results import scoring
from pipeline.results.scoring import Given
from pipeline.results.scoring.published import withheld
from pipeline.results.scoring.unknown_videos import UnknownVideos
from pipeline.tools.report.advice import advice_of
from pipeline.tools.report.analysed import TIOU, WORDS, analysed
from pipeline.tools.report.mistakes import mistakes_of, with_frames
from pipeline.tools.report.numbers import numbers_of
from pipeline.tools.report.what_ran import versions


def report_of_file(
    settings: DetectionConfig,
    path: Path,
    folder: Path,
    *,
    tiou: float = TIOU,
    unknown_videos: UnknownVideos = "refuse",
) -> Report:
    """The report of a result file or a table of detections, for a page in `folder`.

    Raises UserError where one of them cannot be scored, and for a table of proposals.
    """
    given = scoring.read_given_file(settings, path, unknown_videos)
    if "label" not in given.table:
        raise UserError(f"{path}: holds proposals, which have no label; give a table of detections")
    dataset, iou = given.dataset, scoring.as_thresholds(settings.eval.iou)
    tasks = scoring.score_tasks(
        given.truth, given.table, dataset, settings.eval.iou, ties=given.ties, ignored=given.ignored
    )
    try:
        found = analysed(
            given.truth, given.table, settings.eval.iou, tiou=tiou, ties=given.ties, ignored=given.ignored
        )  # fmt: skip
    except TableError as error:
        raise UserError(str(error)) from error
    subset = settings.dataset.eval_subset
    ids = [*dataset.video_ids(subset)]
    ids += [video for video in given.table["video"].unique() if video not in set(ids)]
    sources = videos_there(settings.dataset, dataset, dataset.video_ids(subset))
    mistakes, failed = with_frames(mistakes_of(found.truth, found.detections), sources)
    published = withheld(settings.eval, settings.dataset, dataset) is None
    rows = scoring.map_rows({"iou": iou, "tasks": tasks}, settings.eval, published=published)
    base = os.path.abspath(folder)
    return Report(
        title=path.name,
        about=[f"{len(given.table):,} detections", f"{len(dataset.video_ids(subset)):,} videos of {subset!r}"],
        numbers=numbers_of({"iou": iou, "tasks": tasks}),
        iou=iou,
        maps=[MapRow(name, values[:-1], values[-1], name in tasks) for name, values in rows],
        tiou=tiou,
        words=WORDS,
        videos=Videos(
            ids=ids,
            truth=found.truth,
            detections=found.detections,
            seconds=_seconds(dataset, subset),
            paths={
                video: os.path.relpath(os.path.abspath(source), base)
                for video, source in sources.items()
                if isinstance(source, Path)
            },
        ),
        threshold=found.threshold,
        classes=found.classes,
        all_labels=dataset.heads[0] if len(dataset.heads) == 1 else (),
        names=names_of(dataset.heads, pd.concat([given.truth[["label"]], given.table[["label"]]])),
        errors=found.errors,
        errors_by=found.errors_by,
        advice=advice_of(found.errors, tiou),
        operating=found.operating,
        confusion=found.confusion,
        durations=Durations((given.truth["end"] - given.truth["start"]).to_numpy(float), None, None),
        facts=[_data(settings, given, path), versions()],
        mistakes=mistakes,
        without=_without(len(sources), failed),
    )  # fmt: skip


def _seconds(dataset: Dataset, subset: str) -> dict[str, float]:
    """Lengths of the videos, where the annotations say them."""
    rows = dataset.videos[(dataset.videos["subset"] == subset) & (dataset.videos["duration"] > 0)]
    return dict(zip(rows["video"], rows["duration"].astype(float), strict=True))


def _data(settings: DetectionConfig, given: Given, path: Path) -> Facts:
    files = settings.dataset.annotations
    rows = [
        ("detections", str(path), f"{len(given.table):,} rows"),
        ("annotations", ", ".join(map(str, files if isinstance(files, tuple) else [files])), ""),
        ("evaluated on", settings.dataset.eval_subset, f"{len(given.truth):,} segments"),
        ("classes", f"{given.truth['label'].nunique():,}", "that have ground truth"),
    ]
    return Facts("Data", rows)


def _without(sources: int, failed: list[str]) -> list[str]:
    said = ["There is no run: settings, trainings, proposals and the oracles of its stages are left out."]
    if not sources:
        said.append("The videos are not there: nothing plays, and mistakes have no frames (--videos says where they are).")
    if failed:
        said.append(f"{len(failed)} videos could not be read for frames, {failed[0]} first.")
    return said
