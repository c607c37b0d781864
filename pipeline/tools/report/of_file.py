"""Any detections as the report shows them: without a run, what only a run knows is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import Dataset
from pipeline.data.videos.finding import videos_there
from pipeline.errors import UserError
from pipeline.pages.report_values import Durations, Facts, MapRow, Report, Videos
from pipeline.results import scoring
from pipeline.results.scoring import Given
from pipeline.results.scoring.published import withheld
from pipeline.results.scoring.unknown_videos import UnknownVideos
from pipeline.tools.report.analysed import TIOU, analysed
from pipeline.tools.report.mistakes import mistakes_of, with_frames
from pipeline.tools.report.reasons import advice_of
from pipeline.tools.report.shared import labels_of, numbers_of, paths_from
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

    Raises UserError if one of them cannot be scored, and for a table of proposals.
    """
    given = scoring.read_scored(settings, path, unknown_videos)
    if "label" not in given.table:
        raise UserError(f"{path}: holds proposals, which have no label; give a table of detections")
    subset, ids = settings.dataset.eval_subset, _ids(settings, given)
    one = analysed(
        given.truth, given.table, settings.eval.iou, tiou=tiou, ties=given.ties, ignored=given.ignored
    )  # fmt: skip
    sources = videos_there(settings.dataset, given.dataset, given.dataset.video_ids(subset))
    mistakes, failed = with_frames(mistakes_of(one.truth, one.detections), sources)
    results = _results(settings, given)
    return Report(
        title=path.name,
        about=[f"{len(given.table):,} detections", f"{len(ids):,} videos of {subset!r}"],
        numbers=numbers_of(results),
        iou=results["iou"],
        maps=_maps(settings, given, results),
        videos=Videos(
            ids, one.truth, one.detections, seconds=_seconds(given.dataset, subset), paths=paths_from(folder, sources)
        ),
        found=one.found,
        **labels_of(given.dataset, given.truth, given.table),
        advice=advice_of(one.found),
        durations=_durations(given),
        facts=[_data(settings, given, path), versions()],
        mistakes=mistakes,
        without=_without(len(sources), failed),
    )  # fmt: skip


def _durations(given: Given) -> Durations:
    return Durations((given.truth["end"] - given.truth["start"]).to_numpy(float), None, None)


def _ids(settings: DetectionConfig, given: Given) -> list[str]:
    """The evaluated videos, and after them those that are not and count all the same."""
    ids = given.dataset.video_ids(settings.dataset.eval_subset)
    return list(dict.fromkeys([*ids, *given.table["video"]]))


def _results(settings: DetectionConfig, given: Given) -> dict[str, Any]:
    tasks = scoring.score_tasks(
        given.truth, given.table, given.dataset, settings.eval.iou, ties=given.ties, ignored=given.ignored
    )  # fmt: skip
    return {"iou": scoring.as_thresholds(settings.eval.iou), "tasks": tasks}


def _maps(settings: DetectionConfig, given: Given, results: dict[str, Any]) -> list[MapRow]:
    published = withheld(settings.eval, settings.dataset, given.dataset) is None
    rows = scoring.map_rows(results, settings.eval, published=published)
    return [
        MapRow(name, values[:-1], values[-1], name in results["tasks"]) for name, values in rows
    ]


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
    said = [
        "There is no run: settings, trainings, proposals and the oracles of its stages are left out."
    ]
    if not sources:
        said.append(
            "The videos are missing: nothing plays, and mistakes have no frames (--videos says where they are)."
        )
    if failed:
        said.append(f"{len(failed)} videos could not be read for frames, {failed[0]} first.")
    return said
