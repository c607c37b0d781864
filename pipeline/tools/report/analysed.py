"""The analyses of a report: kinds of errors, classes, the score threshold, confusion; tables in, page values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.confusion import Confusion, confusion
from evaluation.detection import DetectionMap, detection_map
from evaluation.error_kinds import DETAD_NAMES, KINDS, MISSED, NOT_COUNTED, RIGHT
from evaluation.error_types import Breakdown, ErrorTypes, error_types
from evaluation.errors import TableError
from evaluation.operating import OperatingPoints, operating_points
from evaluation.ties import Ties
from pipeline.errors import UserError
from pipeline.pages import report_values as shown

TIOU = 0.5
NOT_COUNTED_WORD = "not counted"
WORDS = (*KINDS[:MISSED], "right", NOT_COUNTED_WORD)
_MOST_CONFUSED = 24  # classes of the matrix
_NOTES = {
    "wrong label": "the right place, another class",
    "boundaries off": "the right class, a tIoU of at least 0.1 but below the threshold",
    "both": "near a ground truth of another class",
    "nothing there": "a tIoU below 0.1 with every ground truth",
    "twice": "right, but the ground truth is already matched by a better detection",
    "missed": "a ground truth without a matching detection",
}


@dataclass(frozen=True)
class Analysed:
    """truth: with `found_by`; detections: with `word`; found: what the analyses say, in percent, as the page takes it."""

    truth: pd.DataFrame
    detections: pd.DataFrame
    found: shown.Analysis


def analysed(
    truth: pd.DataFrame,
    detections: pd.DataFrame,
    tious: Sequence[float],
    *,
    tiou: float = TIOU,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> Analysed:
    """Analyse detections (video, start, end, label, score) against ground truth (video, start, end, label).

    `tious`: the thresholds of the mAP; `tiou`: that of the analyses. Raises UserError for tables that cannot be
    scored.
    """
    try:
        types = error_types(truth, detections, tiou, ties=ties, ignored=ignored)
        points = operating_points(truth, detections, tiou, ties=ties, ignored=ignored)
        threshold = points.best.threshold if len(points.scores) else 0.0
        confused = confusion(truth, detections, tiou, threshold=threshold)
        ap = detection_map(truth, detections, [tiou, *tious], ties=ties, ignored=ignored)
    except TableError as error:
        raise UserError(str(error)) from error
    truth, detections = _judged(types, truth, detections)
    found = shown.Analysis(
        tiou=tiou,
        words=WORDS,
        threshold=threshold,
        classes=_classes(ap, points, confused, truth, detections),
        errors=_errors(types),
        errors_by=[
            _group("mAP points lost, by length of segment", types.by_length, seconds=True),
            _group("mAP points lost, by segments in the video", types.by_instances),
        ],
        operating=_operating(points),
        confusion=_matrix(confused),
    )
    return Analysed(truth, detections, found)


def _judged(
    types: ErrorTypes, truth: pd.DataFrame, detections: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ground truth with the score that found it, the detections with their words."""
    right = types.kind == RIGHT
    found_by = np.full(len(truth), np.nan)
    found_by[types.about[right]] = detections["score"].to_numpy(float)[right]
    code = np.where(right, WORDS.index("right"), types.kind)
    code = np.where(types.kind == NOT_COUNTED, WORDS.index(NOT_COUNTED_WORD), code)
    return truth.assign(found_by=found_by), detections.assign(word=np.array(WORDS, object)[code])


def _errors(types: ErrorTypes) -> list[shown.Bar]:
    """Kinds of errors, the costliest first, then the two sums."""
    bars = [
        shown.Bar(name, 100 * float(gain), int(count), f"{DETAD_NAMES[name]}: {_NOTES[name]}")
        for name, gain, count in zip(KINDS, types.gains, types.counts, strict=True)
    ]
    bars.sort(key=lambda bar: -bar.points)
    wrong = int(types.counts.sum() - types.counts[MISSED])
    unfound = int((types.truth_kind != RIGHT).sum())
    return [
        *bars,
        shown.Bar("all false positives", 100 * types.false_positives, wrong, "if all of them were removed", sum=True),
        shown.Bar("all missed", 100 * types.false_negatives, unfound, "if all of them were found", sum=True),
    ]  # fmt: skip


def _group(title: str, one: Breakdown, *, seconds: bool = False) -> shown.Group:
    bars = []
    for place, name in enumerate(one.names):
        points = 100 * float(one.gains[place].sum())
        named = str(name)
        if seconds and len(one.edges):
            bounds = [f"over {one.edges[place - 1]:.1f} s"] * (place == len(one.edges))
            named += f", {bounds[0]}" if bounds else f", up to {one.edges[place]:.1f} s"
        kinds = ", ".join(
            f"{kind} {100 * gain:.1f}" for kind, gain in zip(KINDS, one.gains[place], strict=True)
        )
        bars.append(shown.Bar(named, points, int(one.segments[place]), kinds))
    return shown.Group(title, "points", bars)


def _operating(points: OperatingPoints) -> shown.Operating | None:
    if not len(points.scores):
        return None
    return shown.Operating(
        score=points.scores,
        precision=100 * points.precision,
        recall=100 * points.recall,
        f1=100 * points.f1,
        best=int(np.argmax(points.f1)),
    )


def _classes(
    ap: DetectionMap,
    points: OperatingPoints,
    confused: Confusion,
    truth: pd.DataFrame,
    judged: pd.DataFrame,
) -> list[shown.ClassRow]:
    """A row per class of the ground truth, the lowest AP first."""
    curves = _curves(judged, dict(truth["label"].value_counts()))
    rows = []
    for place, label in enumerate(ap.classes):
        point = points.by_class[label]
        others = confused.counts[place].copy()
        others[place] = 0
        most = int(others.argmax()) if len(others) else 0
        rows.append(
            shown.ClassRow(
                label=label,
                ap=100 * float(ap.ap[place, 0]),
                average=100 * float(ap.ap[place, 1:].mean()),
                truths=int(ap.num_truths[place]),
                found=point.right,
                precision=100 * point.precision,
                recall=100 * point.recall,
                score=point.threshold if point.threshold == point.threshold else None,
                confused=(confused.classes[most], int(others[most])) if others.any() else None,
                curve=curves.get(label, ((), ())),
            )
        )
    return sorted(rows, key=lambda row: row.ap)


def _curves(
    judged: pd.DataFrame, truths: dict[str, int]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Recall and interpolated precision, percent, at each right detection of a class."""
    counted = judged[(judged["word"] != NOT_COUNTED_WORD) & judged["label"].isin(truths)]
    curves = {}
    for label, rows in counted.groupby("label", sort=False):
        order = np.argsort(-rows["score"].to_numpy(float), kind="stable")
        hits = (rows["word"] == "right").to_numpy(bool)[order]
        rank = np.flatnonzero(hits)
        if not len(rank):
            continue
        precision = (np.arange(len(rank)) + 1) / (rank + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        recall = (np.arange(len(rank)) + 1) / truths[str(label)]
        curves[str(label)] = (
            100 * np.append(0.0, recall),
            100 * np.append(precision[0], precision),
        )
    return curves


def _matrix(confused: Confusion) -> shown.Confusion:
    """The classes that are confused most, in their order; those of the most ground truths where none is."""
    counts = confused.counts
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    chosen = np.sort(np.lexsort((-counts.sum(axis=1), -wrong))[:_MOST_CONFUSED])
    labels = [confused.classes[place] for place in chosen]
    return shown.Confusion(labels, counts[np.ix_(chosen, chosen)], len(counts) - len(chosen))
