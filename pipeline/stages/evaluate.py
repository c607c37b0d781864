"""Stage 5: detections to mAP over tIoU thresholds, proposals to AR@AN (Section 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pandas as pd

from evaluation.recall import average_recall
from pipeline.configuration.reading import Config
from pipeline.data import annotations
from pipeline.results import figures as results
from pipeline.results import scoring
from pipeline.results.tables import read_detections, read_proposals
from pipeline.run_folder import manifests as artifacts
from pipeline.run_folder.reports import write_report
from pipeline.stages.opening import begin_alone

RESULTS = "results.json"


def run(config: Config, folder: Path, *, force: bool = False) -> None:
    """Print the mAP table; write `eval/results.json` with per-class AP, and the official result file.

    Other thresholds than last time need no --force: the numbers are made again in a moment, and the
    former ones are only a file of figures.
    """
    stage = begin_alone(config, folder, "eval", replace=True)
    if not stage.complete:
        dataset = annotations.load(config.dataset)
        detections = read_detections(folder, dataset, config.dataset.eval_subset)
        made = score(config, folder, dataset, detections)
        scoring.write_result_files(config, dataset, detections, stage.folder)
        artifacts.write_json(stage.folder / RESULTS, made)
        stage.finish({name: task["average"] for name, task in made["tasks"].items()})
    made = numbers(folder)
    click.echo(scoring.table(made, config.eval))


def score(
    config: Config, folder: Path, dataset: annotations.Dataset, detections: pd.DataFrame
) -> dict[str, Any]:
    """mAP of every task and AR@AN, as plain JSON values in percent."""
    truth = scoring.truth_rows(config.dataset, dataset)
    tasks = scoring.score_tasks(truth, detections, dataset, config.eval.iou)
    proposals = read_proposals(folder, dataset, config.dataset.eval_subset)
    recall = average_recall(truth, proposals, config.eval.iou, config.eval.proposals_at)
    return {
        "iou": scoring.as_thresholds(config.eval.iou),
        "tasks": tasks,
        "average_recall": {
            str(count): 100 * float(value)
            for count, value in zip(config.eval.proposals_at, recall.average, strict=True)
        },
    }


def numbers(folder: Path) -> dict[str, Any]:
    """The numbers of a run.

    Raises UserError where it has none.
    """
    return results.read_results(folder / "eval" / RESULTS, "eval")


def copy_numbers(folder: Path, target: Path) -> None:
    """Write a run's numbers to a file of the user's choice."""
    write_report(target, numbers(folder))
