"""The score threshold with the best F1, as a figure and a line."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from evaluation.errors import TableError
from evaluation.operating import OperatingPoint, operating_points
from evaluation.ties import Ties
from pipeline.errors import UserError

TIOU = 0.5


def best_f1(
    truth: pd.DataFrame,
    detections: pd.DataFrame,
    *,
    tiou: float = TIOU,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> dict[str, float]:
    """The score threshold with the best F1, all classes together, and the figures at it; percent except for the threshold.

    Empty where nothing is detected, or nothing right. Raises UserError for tables that cannot be scored.
    """
    try:
        best = operating_points(truth, detections, tiou, ties=ties, ignored=ignored).best
    except TableError as error:
        raise UserError(str(error)) from error
    return as_figures(best, tiou) if best.right else {}


def as_figures(point: OperatingPoint, tiou: float) -> dict[str, float]:
    """A threshold and what it leaves, as plain values, percent."""
    return {
        "tiou": tiou,
        "threshold": point.threshold,
        "precision": 100 * point.precision,
        "recall": 100 * point.recall,
        "f1": 100 * point.f1,
        "detections": point.detections,
    }


def f1_line(figures: dict[str, Any]) -> str | None:
    """The line for the user; None if nothing is known."""
    if not figures or not math.isfinite(figures["threshold"]):
        return None
    return (
        f"best F1 at tIoU {figures['tiou']:g}: {figures['f1']:.2f}, of detections with a score of "
        f"{figures['threshold']:g} or more (precision {figures['precision']:.2f}, recall {figures['recall']:.2f})"
    )
