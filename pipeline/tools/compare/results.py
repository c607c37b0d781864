"""What is compared: the results of runs, or any result files, with their ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.ties import Ties
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import Dataset
from pipeline.errors import UsageError, UserError
from pipeline.plain_files import read_json
from pipeline.progress import say
from pipeline.results import scoring
from pipeline.results.scoring.given import read_scored
from pipeline.results.tables import DETECTIONS
from pipeline.runs.found import detections_of, proposals_of
from pipeline.runs.inputs.fields import deciding_fields
from pipeline.runs.run import Run, run_of
from pipeline.stages.evaluate import ties_of


@dataclass(frozen=True)
class Result:
    """Detections and, of a run, proposals, beside the ground truth of the evaluated `videos`.

    `settings`: what decides a run's results, by dotted key; `history`: its trainings' epochs, by stage. Of a file
    both are empty.
    """

    name: str
    path: Path
    config: DetectionConfig
    dataset: Dataset
    videos: tuple[str, ...]
    truth: pd.DataFrame
    ignored: pd.DataFrame
    detections: pd.DataFrame
    proposals: pd.DataFrame | None
    ties: Ties
    settings: dict[str, Any] = field(default_factory=dict)
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def of_videos(self, videos: Sequence[str]) -> Result:
        """The result on some of its videos alone; rows of videos that are none of the evaluated stay."""
        gone = set(self.videos) - set(videos)

        def kept(table: pd.DataFrame) -> pd.DataFrame:
            return table[~table["video"].isin(gone)].reset_index(drop=True) if gone else table

        return replace(
            self,
            videos=tuple(videos),
            truth=kept(self.truth),
            ignored=kept(self.ignored),
            detections=kept(self.detections),
            proposals=None if self.proposals is None else kept(self.proposals),
        )


def result_of_run(folder: Path) -> Result:
    """What a run has found. Raises UserError if it has not been evaluated."""
    run = run_of(folder)
    subset = run.subsets[1]
    if not (run.path(run.ways.detecting) / DETECTIONS).is_file():
        raise UserError(
            f"{folder}: has no detections; run `tada-loc eval --run-dir {folder}` first"
        )
    if not run.is_complete("eval"):
        say(
            f"{folder}: its figures are outdated: settings or inputs changed; run `tada-loc eval "
            "--run-dir {folder}`"
        )
    return Result(
        name=folder.resolve().name,
        path=folder,
        config=run.detection,
        dataset=run.dataset,
        videos=tuple(run.dataset.video_ids(subset)),
        truth=scoring.truth_rows(run.config.dataset, run.dataset),
        ignored=run.dataset.ignored_rows(subset),
        detections=detections_of(run),
        proposals=proposals_of(run),
        ties=ties_of(run),
        settings={"detector.name": run.config.detector.name} | deciding_fields(run.config),
        history={stage: _history(run, stage) for stage in ("finetune", run.ways.training)},
    )


def result_of_file(config: DetectionConfig, path: Path) -> Result:
    """What a result file, or a table of detections, holds. Raises UserError if it cannot be scored."""
    given = read_scored(config, path)
    if "label" not in given.table:
        raise UserError(f"{path}: holds proposals; compare takes detections with labels, or runs")
    return Result(
        name=path.name,
        path=path,
        config=config,
        dataset=given.dataset,
        videos=tuple(given.dataset.video_ids(config.dataset.eval_subset)),
        truth=given.truth,
        ignored=given.ignored,
        detections=given.table,
        proposals=None,
        ties=given.ties,
    )


def named(results: Sequence[Result]) -> list[Result]:
    """The results with distinct names: their paths where names are the same.

    Raises UsageError for one alone, or one that is given twice.
    """
    if len(results) < 2:
        raise UsageError("compare needs at least two runs or result files; name another")
    paths = [result.path.resolve() for result in results]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise UsageError(f"{twice}: is given twice; name different results")
    names = [result.name for result in results]
    return [
        replace(result, name=str(result.path)) if names.count(result.name) > 1 else result
        for result in results
    ]


def _history(run: Run, stage: str) -> list[dict[str, Any]]:
    """A training's epochs, none where there is no whole list of them."""
    try:
        epochs: Any = read_json(run.path(stage) / "history.json")
    except (OSError, ValueError, RecursionError):
        return []
    whole = isinstance(epochs, list) and all(isinstance(epoch, dict) for epoch in epochs)
    return epochs if whole else []
