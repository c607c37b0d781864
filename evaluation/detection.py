"""Mean average precision over tIoU thresholds, by the ActivityNet rules (Section 6).

The rules are those of the official ActivityNet and EPIC-KITCHENS evaluators:
- in order of falling score (equal scores: the earlier row first) each detection takes the free
  ground truth of its class and video with the largest tIoU at least the threshold (equal tIoU:
  the later row, as in the official code); a detection that finds none is a false positive;
- the classes are those of the ground truth, and one without detections counts 0; detections of
  other classes are left out and counted;
- detections in videos without ground truth are false positives;
- average precision is interpolated: precision is made monotone, then summed over recall;
- a detection of no length matches any ground truth of no length (tIoU 0 / 0 passes in the
  official code; it is taken as 1 here).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.matching import match
from evaluation.overlap import GroupedSegments, overlapping_pairs
from evaluation.tables import check_tious, class_groups, segments


@dataclass(frozen=True)
class DetectionMap:
    """Average precision per class and threshold, and its means; fractions of 1.

    classes: the classes of the ground truth, sorted, C of them
    tious: float64 [T]
    ap: float64 [C, T]
    map: float64 [T], mean over the classes
    average: mean over the thresholds
    num_truths, num_detections: int64 [C], rows a class
    dropped: detections of classes the ground truth does not have, left out
    in_unknown_videos: detections in videos without ground truth, counted as false positives
    """

    classes: tuple[Any, ...]
    tious: np.ndarray
    ap: np.ndarray
    map: np.ndarray
    average: float
    num_truths: np.ndarray
    num_detections: np.ndarray
    dropped: int
    in_unknown_videos: int


def detection_map(
    annotations: pd.DataFrame, detections: pd.DataFrame, tious: Sequence[float]
) -> DetectionMap:
    """Score detections against ground truth by the rules above.

    annotations: video, start, end, label; detections: video, start, end, label, score.

    Start and end are seconds, `tious` thresholds in (0, 1], compared as they are given: the
    official evaluators take numpy.linspace(0.1, 0.5, 5), whose third is a rounding above 0.3 and
    leaves out pairs with a tIoU of exactly 0.3.
    Raises TableError for tables that cannot be scored; no detection is a valid table and scores 0.
    """
    thresholds = check_tious(tious)
    groups = class_groups(annotations, detections)
    classes = len(groups.classes)
    rows = _scoring_order(groups.found_class, detections["score"].to_numpy(dtype=np.float64))
    found_class, found_group = groups.found_class[rows], groups.found_group[rows]
    start, end = segments(detections)
    found = GroupedSegments(found_group, start[rows], end[rows])
    truth = GroupedSegments(groups.truth_group, *segments(annotations))
    pairs = overlapping_pairs(found, truth, float(thresholds.min()))
    hits = match(pairs, thresholds, len(rows), len(annotations))
    num_truths = np.bincount(groups.truth_class, minlength=classes)
    ap = interpolated_precision(hits, found_class, num_truths)
    return DetectionMap(
        classes=groups.classes,
        tious=thresholds,
        ap=ap,
        map=ap.mean(axis=0),
        average=float(ap.mean()),
        num_truths=num_truths,
        num_detections=np.bincount(found_class, minlength=classes),
        dropped=len(detections) - len(rows),
        in_unknown_videos=int((found_group < 0).sum()),
    )


def interpolated_precision(
    hits: np.ndarray, group: np.ndarray, num_truths: np.ndarray
) -> np.ndarray:
    """Interpolated average precision from true positives in scoring order.

    hits: bool [n, T], rows sorted by class and falling score; group: int [n], the class of each row
    (rising); num_truths: int [C], all above 0. Returns float64 [C, T].

    Precision falls at every false positive, so its running maximum from the right is taken over the
    true positives alone; each adds 1 / num_truths to the recall.
    """
    classes, steps = len(num_truths), hits.shape[1]
    step, row = np.nonzero(hits.T)
    label = group[row]
    first_row = np.searchsorted(group, np.arange(classes))
    cell = step * classes + label
    first_hit = np.searchsorted(cell, cell)
    precision = (np.arange(len(row)) - first_hit + 1) / (row - first_row[label] + 1)
    # The running maximum of all cells at once: in ranks, raised by a cell's number so that a cell
    # never sees the one before it. Ranks are whole numbers, so no precision is lost.
    values, rank = np.unique(precision, return_inverse=True)
    raised = (classes * steps - cell) * len(values) + rank
    best = np.maximum.accumulate(raised[::-1])[::-1] - (classes * steps - cell) * len(values)
    area = np.bincount(cell, weights=values[best] if len(row) else None, minlength=classes * steps)
    precisions: np.ndarray = area.reshape(steps, classes).T / num_truths[:, None]
    return precisions


def _scoring_order(group: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The rows that have a class, by class, then falling score, then row."""
    order = np.argsort(-score, kind="stable")
    order = order[group[order] >= 0]
    # Small integers take numpy's radix sort.
    small = group[order].astype(np.min_scalar_type(int(group.max(initial=0))))
    return order[np.argsort(small, kind="stable")]
