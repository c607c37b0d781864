"""The curves of a run's two trainings, from their history.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.pages.report_values import Training
from pipeline.plain_files import read_json
from pipeline.runs.run import Run

_NAMES = {
    "finetune": "classifier",
    "bmn": "proposals (BMN)",
    "actionformer": "detector (ActionFormer)",
}
_EXTRACT = "extract_"  # before accuracies as extraction sees the clips
_ACCURACIES = ("top", "verb", "noun", "action", "mean_class")


def trainings(run: Run) -> list[Training]:
    """The trainings of the run, with its head, whose history is there and readable."""
    found = []
    for stage in ("finetune", run.ways.training):
        training = training_of(run.path(stage) / "history.json", _NAMES[stage])
        if training is not None:
            found.append(training)
    return found


def training_of(path: Path, name: str) -> Training | None:
    """One training; None if there is no history, or none that can be drawn."""
    try:
        history = read_json(path)
    except (OSError, ValueError, RecursionError):
        return None
    rows = [row for row in history if isinstance(row, dict)] if isinstance(history, list) else []
    rows = [row for row in rows if _number(row.get("epoch")) is not None]
    if not rows:
        return None
    names = list(dict.fromkeys(key for row in rows for key in row if key not in ("epoch", "lr")))
    losses = {key: _column(rows, key) for key in names if not _is_accuracy(key)}
    validation = {key: _column(rows, key) for key in names if _is_accuracy(key)}
    # What extraction sees is often what training saw: one line then.
    for key in [key for key in validation if key.startswith(_EXTRACT)]:
        if validation[key] == validation.get(key.removeprefix(_EXTRACT)):
            del validation[key]
    epochs = [int(row["epoch"]) for row in rows]
    return Training(name, epochs, losses, validation, _column(rows, "lr"))


def _is_accuracy(key: str) -> bool:
    return key.removeprefix(_EXTRACT).startswith(_ACCURACIES)


def _column(rows: Sequence[dict[str, Any]], key: str) -> list[float | None]:
    return [_number(row.get(key)) for row in rows]


def _number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = float(value)
    return number if abs(number) < 1e300 else None
