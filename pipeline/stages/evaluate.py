"""Stage 5: detections to mAP over tIoU thresholds, proposals to AR@AN (Section 6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pandas as pd

from evaluation.detection import DetectionMap, detection_map
from evaluation.recall import average_recall
from pipeline import annotations, artifacts
from pipeline.config import Config
from pipeline.errors import UserError
from pipeline.fields import stage_fields
from pipeline.stages.classify import DETECTIONS, read_proposals

RESULTS = "results.json"


def run(config: Config, folder: Path, *, force: bool = False) -> None:
    """Print the mAP table and write `eval/results.json` with per-class AP.

    Other thresholds than last time need no --force: the numbers are made again in a moment, and the
    former ones are only a file of figures.
    """
    fields = stage_fields(config, folder, "eval")
    stage = artifacts.open_stage(folder, "eval", fields, force=True)
    if not stage.complete:
        dataset = annotations.load(config.dataset)
        results = score(config, folder, dataset)
        artifacts.write_json(stage.folder / RESULTS, results)
        stage.finish({name: task["average"] for name, task in results["tasks"].items()})
    results = read_results(folder)
    click.echo(table(results, config.eval.paper))


def score(config: Config, folder: Path, dataset: annotations.Dataset) -> dict[str, Any]:
    """mAP of every task and AR@AN, as plain JSON values in percent."""
    truth = dataset.rows(config.dataset.eval_subset)
    if truth.empty:
        raise UserError(
            f"dataset.eval_subset {config.dataset.eval_subset!r}: no annotation to evaluate against"
        )
    detections = pd.read_csv(
        folder / "classify" / DETECTIONS, dtype={"video": str, "label": str}, keep_default_na=False
    )
    tasks = {}
    for name, column in task_columns(dataset).items():
        names = dataset.heads[0 if name != "noun" else 1] if name != "action" else None
        result = detection_map(
            truth.assign(label=truth[column]),
            detections.assign(label=detections[column]),
            config.eval.iou,
        )
        tasks[name] = _as_json(result, names)
    recall = average_recall(truth, read_proposals(folder), config.eval.iou, config.eval.proposals_at)
    return {
        "iou": [round(iou, 10) for iou in config.eval.iou],
        "tasks": tasks,
        "average_recall": {
            str(count): 100 * float(value)
            for count, value in zip(config.eval.proposals_at, recall.average, strict=True)
        },
    }


def task_columns(dataset: annotations.Dataset) -> dict[str, str]:
    """The tasks mAP is reported for, and the column that holds their class; the leading one first."""
    if len(dataset.heads) == 2:
        return {"action": "label", "verb": "verb", "noun": "noun"}
    return {"mAP": "label"}


def read_results(folder: Path) -> dict[str, Any]:
    """The numbers of a run.

    Raises UserError where it has none.
    """
    path = folder / "eval" / RESULTS
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); run `tada-loc eval`") from error


def copy_numbers(folder: Path, target: Path) -> None:
    """Write a run's numbers to a file of the user's choice."""
    artifacts.write_json(target, read_results(folder))


def table(results: dict[str, Any], paper: dict[str, dict[str, float]]) -> str:
    """The mAP table a user sees: a row a task, a column a threshold, the average last.

    `paper` maps a task to the published figures, by threshold ("0.5") and "average".
    """
    columns = [f"{iou:g}" for iou in results["iou"]] + ["average"]
    rows: list[tuple[str, list[float | None]]] = []
    for name, task in results["tasks"].items():
        rows.append((name, [*task["map"], task["average"]]))
        if name in paper:
            rows.append((f"{name}, the paper's", [paper[name].get(column) for column in columns]))
    width = max(len("tIoU"), *(len(name) for name, _ in rows))
    titles = [f"@{column}" for column in columns[:-1]] + columns[-1:]
    lines = ["tIoU".ljust(width) + "".join(title.rjust(9) for title in titles)]
    for name, values in rows:
        cells = [("-" if value is None else f"{value:.2f}").rjust(9) for value in values]
        lines.append(name.ljust(width) + "".join(cells))
    recall = "  ".join(f"AR@{n} {value:.2f}" for n, value in results["average_recall"].items())
    return "\n".join([*lines, f"proposals: {recall}"])


def _as_json(result: DetectionMap, names: tuple[str, ...] | None) -> dict[str, Any]:
    per_class = {}
    for label, row in zip(result.classes, result.ap, strict=True):
        name = names[int(label)] if names and not isinstance(label, str) else str(label)
        per_class[name] = [100 * float(value) for value in row]
    return {
        "map": [100 * float(value) for value in result.map],
        "average": 100 * float(result.average),
        "per_class": per_class,
    }
