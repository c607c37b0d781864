"""Which logs a training has: its metrics.csv, and the trackers that are asked for."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.ranks import ranks
from pipeline.run_folder.files import remove
from pipeline.training.logs import event_files, wandb_run
from pipeline.training.logs.log import Log, Silent, Tracker, TrainingLog
from pipeline.training.logs.metrics import METRICS, MetricsFile

CSV, TENSORBOARD, WANDB = "csv", "tensorboard", "wandb"


def require_trackers(kinds: Sequence[str]) -> None:
    """Refuse trackers whose package is not installed. Raises UsageError that says how it is."""
    for kind in kinds:
        if kind != CSV and importlib.util.find_spec(kind) is None:
            raise UsageError(
                f"--log {kind}: the package {kind} is not installed; pip install {kind} (the extra {kind})"
            )


def open_log(
    kinds: Sequence[str],
    folder: Path,
    *,
    run: str,
    title: str,
    settings: Mapping[str, Any],
    batch: int,
) -> Log:
    """The log of a training in its stage's folder; in processes beside the main one, none.

    `run` is the run's name, `title` the stage's, `settings` what a tracker records of both. `batch`: samples of
    a step. Raises UsageError if a package is missing.
    """
    if not ranks().is_main:
        return Silent()
    require_trackers(kinds)
    trackers: list[Tracker] = []
    for kind in dict.fromkeys(kinds):
        if kind == TENSORBOARD:
            text = json.dumps(settings, indent=2, ensure_ascii=False)
            trackers.append(event_files.EventFiles(folder / event_files.FOLDER, text))
        elif kind == WANDB:
            trackers.append(wandb_run.WandbRun(folder, run, title, settings))
    return TrainingLog(MetricsFile(folder / METRICS), trackers, batch)


def forget_log(folder: Path) -> None:
    """Remove what a training that was given up has logged in its folder."""
    for name in (METRICS, wandb_run.ID_FILE):
        remove(folder / name)
    for name in (event_files.FOLDER, wandb_run.FOLDER):
        shutil.rmtree(folder / name, ignore_errors=True)


def log_figures(
    kinds: Sequence[str],
    folder: Path,
    *,
    run: str,
    settings: Mapping[str, Any],
    figures: Mapping[str, float],
) -> None:
    """Tell the trackers the figures of an evaluation, by name. Raises UsageError if a package is missing."""
    require_trackers(kinds)
    for kind in dict.fromkeys(kinds):
        if kind == TENSORBOARD:
            event_files.write_figures(folder / event_files.FOLDER, figures)
        elif kind == WANDB:
            wandb_run.write_figures(folder, run, settings, figures)
