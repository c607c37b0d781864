"""Stage 6: detections to mAP over tIoU thresholds, proposals to AR@AN (Section 6)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from evaluation.ties import Ties
from pipeline.progress import say
from pipeline.results import scoring
from pipeline.results.figures import RESULTS, read_results
from pipeline.results.scoring.published import withheld
from pipeline.run_folder.files import write_json
from pipeline.runs.found import detections_of, proposals_of
from pipeline.runs.logs import tell_figures
from pipeline.runs.run import Run


def run(run: Run) -> None:
    """Write `eval/results.json` with per-class AP, and the official result file.

    It is made again in a moment wherever it is not what this moment's settings, segments and detections give.
    """
    stage = run.open("eval")
    if stage.complete:
        return
    detections = detections_of(run)
    made = _score(run, detections)
    scoring.write_result_files(run.detection, run.dataset, detections, stage.folder)
    write_json(stage.folder / RESULTS, made)
    stage.finish({name: task["average"] for name, task in made["tasks"].items()})
    tell_figures(run, stage, made)


def numbers(run: Run) -> dict[str, Any]:
    """The numbers of a run. Raises UserError if it has none."""
    return read_results(run.path("eval") / RESULTS, "eval")


def results_table(run: Run) -> str:
    """The numbers of a run as a user sees them. Raises UserError if it has none."""
    results, settings = numbers(run), run.detection.eval
    if "best_f1" not in results:  # of a run that was evaluated before it was written
        detections = detections_of(run)
        results["best_f1"] = _best_f1(run, detections)
    said = withheld(settings, run.config.dataset, run.dataset)
    if said is not None:
        say(said)
    return scoring.map_table(results, settings, published=said is None)


def recall_of_proposals(run: Run) -> str | None:
    """AR@AN of the proposals of a run that has no classes, as a user sees it; None if they are not current."""
    if not run.is_complete(run.ways.proposing):
        return None
    figures = {"iou": [], "tasks": {}, "average_recall": _recall(run)}
    return scoring.map_table(figures, run.detection.eval, published=False)


def _score(run: Run, detections: pd.DataFrame) -> dict[str, Any]:
    """mAP of every task and AR@AN, as plain JSON values in percent."""
    settings = run.detection.eval
    truth = scoring.truth_rows(run.config.dataset, run.dataset)
    ignored = run.dataset.ignored_rows(run.subsets[1])
    tasks = scoring.score_tasks(
        truth, detections, run.dataset, settings.iou, ties=ties_of(run), ignored=ignored
    )
    return {
        "iou": scoring.as_thresholds(settings.iou),
        "tasks": tasks,
        "average_recall": _recall(run),
        "best_f1": _best_f1(run, detections),
    }


def _best_f1(run: Run, detections: pd.DataFrame) -> dict[str, float]:
    """The score from which on detections of a run have the best F1, with plain values in percent."""
    truth = scoring.truth_rows(run.config.dataset, run.dataset)
    return scoring.best_f1(
        truth, detections, ties=ties_of(run), ignored=run.dataset.ignored_rows(run.subsets[1])
    )


def ties_of(run: Run) -> Ties:
    """The order of equal scores that a run is evaluated with."""
    return "official" if run.detection.eval.ties == "official" else "stable"


def _recall(run: Run) -> dict[str, float]:
    """AR in percent by number of proposals per video."""
    settings = run.detection.eval
    truth = scoring.truth_rows(run.config.dataset, run.dataset)
    proposals = proposals_of(run)
    return scoring.recall_figures(truth, proposals, settings)
