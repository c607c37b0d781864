"""Precision and recall over the score threshold, and the threshold with the best F1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.matched import matched
from evaluation.ties import Ties

_DIGITS = 17  # significant digits that distinguish any two scores


@dataclass(frozen=True)
class OperatingPoint:
    """Detections of at least a score, as people would use them; precision, recall and F1 are fractions of 1.

    threshold: a short number at or below the least of these scores, above the next; NaN without any detection
    """

    threshold: float
    precision: float
    recall: float
    f1: float
    detections: int
    right: int
    segments: int


@dataclass(frozen=True)
class OperatingPoints:
    """Precision and recall at each score that occurs, of all classes together, at one tIoU.

    scores: float64 [S], falling; precision, recall, f1: float64 [S], of the detections from that score on
    best: the point with the highest F1 (equal ones: the higher score)
    by_class: class -> its own curve's best point
    at_best: class -> its precision, recall and F1 at the threshold of `best`
    """

    tiou: float
    scores: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    best: OperatingPoint
    by_class: dict[Any, OperatingPoint]
    at_best: dict[Any, OperatingPoint]


def operating_points(
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    tiou: float = 0.5,
    *,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> OperatingPoints:
    """Precision, recall and F1 of the detections above each score.

    annotations, detections, ties, ignored: as for `detection_map`; tiou: where detections are right.
    A detection never loses its ground truth to one with a lower score. Precision is right / detections,
    recall right / segments, F1 = 2 right / (detections + segments).
    Raises TableError for tables that cannot be scored.
    """
    found = matched(annotations, detections, [tiou], ties=ties, ignored=ignored)
    counted = ~found.left_out[:, 0]
    score, group = found.score[counted], found.group[counted]
    right = found.taken[counted, 0] >= 0
    segments = np.bincount(found.truth_group, minlength=len(found.classes))
    scores, hits, rows = _by_score(score, right)
    best = _best(scores, hits, rows, total := int(segments.sum()))
    by_class, at_best = {}, {}
    edges = np.searchsorted(group, np.arange(len(found.classes) + 1))
    for number, name in enumerate(found.classes):
        own = slice(edges[number], edges[number + 1])
        wanted = int(segments[number])
        by_class[name] = _best(*_by_score(score[own], right[own]), wanted)
        kept = score[own] >= best.threshold
        at_best[name] = _point(best.threshold, int(right[own][kept].sum()), int(kept.sum()), wanted)
    return OperatingPoints(
        tiou=tiou,
        scores=scores,
        precision=hits / np.maximum(rows, 1),
        recall=hits / total,
        f1=2 * hits / (rows + total),
        best=best,
        by_class=by_class,
        at_best=at_best,
    )


def _by_score(score: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores that occur, falling [S], and how many right and how many of all have at least that [S]."""
    order = np.argsort(-score, kind="stable")
    score, right = score[order], right[order]
    last = np.flatnonzero(np.append(np.diff(score) != 0, True)) if len(score) else np.zeros(0, int)
    return score[last], np.cumsum(right)[last], last + 1


def _best(scores: np.ndarray, hits: np.ndarray, rows: np.ndarray, total: int) -> OperatingPoint:
    if not len(scores):
        return _point(math.nan, 0, 0, total)
    place = int(np.argmax(2 * hits / (rows + total)))
    below = float(scores[place + 1]) if place + 1 < len(scores) else -math.inf
    threshold = short_threshold(float(scores[place]), below)
    return _point(threshold, int(hits[place]), int(rows[place]), total)


def _point(threshold: float, right: int, rows: int, total: int) -> OperatingPoint:
    return OperatingPoint(
        threshold=threshold,
        precision=right / rows if rows else 0.0,
        recall=right / total if total else 0.0,
        f1=2 * right / (rows + total) if rows + total else 0.0,
        detections=rows,
        right=right,
        segments=total,
    )


def short_threshold(score: float, below: float) -> float:
    """The number of the fewest digits that is at most `score` and above `below`, from two digits on."""
    if not score or not math.isfinite(score):
        return score
    size = math.floor(math.log10(abs(score)))
    for digits in range(1, _DIGITS):
        decimals = digits - size
        unit = 10.0**-decimals
        value = round(math.floor(score / unit) * unit, max(decimals, 0))
        if below < value <= score:
            return value
    return score
