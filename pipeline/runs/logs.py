"""Where a run's trainings and figures are logged: its metrics.csv, and the trackers of `runtime.log`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.run_folder.stage import Stage
from pipeline.runs.run import Run
from pipeline.training.logs.log import Log
from pipeline.training.logs.opening import log_figures, open_log


def training_log(run: Run, stage: Stage, batch: int) -> Log:
    """The log of a training of `batch` samples a step. Raises UsageError if a tracker's package is missing."""
    return open_log(
        run.config.runtime.log,
        stage.folder,
        run=_name(run),
        title=stage.name,
        settings=run.config.model_dump(mode="json"),
        batch=batch,
    )


def tell_figures(run: Run, stage: Stage, results: Mapping[str, Any]) -> None:
    """Tell the trackers the figures of an evaluation: `mAP/0.5`, `mAP/average`, `AR/100`, in percent."""
    if not run.config.runtime.log:
        return
    figures: dict[str, float] = {}
    for task, found in results["tasks"].items():
        named = zip(results["iou"], found["map"], strict=True)
        figures |= {f"{task}/{threshold:g}": value for threshold, value in named}
        figures[f"{task}/average"] = found["average"]
    figures |= {f"AR/{count}": value for count, value in results["average_recall"].items()}
    settings = run.config.model_dump(mode="json")
    log_figures(
        run.config.runtime.log, stage.folder, run=_name(run), settings=settings, figures=figures
    )


def _name(run: Run) -> str:
    return run.folder.resolve().name
