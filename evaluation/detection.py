"""Mean average precision over tIoU thresholds, by the ActivityNet rules (Section 6).

The rules are those of the official ActivityNet and EPIC-KITCHENS evaluators:

- in order of falling score each detection takes the free ground truth of its class and video with
  the largest tIoU at least the threshold; a detection that finds none is a false positive;
- equal scores: the earlier row first; equal tIoU: the later row. With `ties="official"` both are as
  the sort of the official code leaves them (evaluation/ties.py);
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

from evaluation.ignoring import overlaps_ignored
from evaluation.matching import match
from evaluation.overlap import GroupedSegments, overlapping_pairs
from evaluation.tables import ClassGroups, check_tious, class_groups, segments
from evaluation.ties import Ties, check_ties, preferences, scoring_order


@dataclass(frozen=True)
class DetectionMap:
    """Average precision per class and threshold, and its means; fractions of 1.

    classes: the classes of the ground truth, sorted, C of them
    tious: float64 [T]
    ap: float64 [C, T]
    map: float64 [T], mean over the classes
    average: mean over the thresholds
    num_truths, num_detections: int64 [C], rows per class
    dropped: detections of classes the ground truth does not have, left out
    in_unknown_videos: detections in videos without ground truth, counted as false positives
    ignored: int64 [T], false positives that were not counted, because they overlap an ignored segment
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
    ignored: np.ndarray


def detection_map(
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    tious: Sequence[float],
    *,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> DetectionMap:
    """Average precision of detections, per class and tIoU threshold, by the ActivityNet rules.

    annotations: video, start, end (seconds), label; detections: the same and score
    tious: thresholds in (0, 1], compared as they are given. The official evaluators use
        numpy.linspace(0.1, 0.5, 5), whose third is a rounding above 0.3 and leaves out a tIoU of 0.3.
    ties: the order of equal scores and tIoUs: "stable", or "official" as in the official code
    ignored: segments (video, start, end) of no class. A detection that takes no ground truth and
        overlaps one of them is left out at that threshold, neither right nor wrong.
    Raises TableError for tables that cannot be scored; no detection is a valid table and scores 0.
    """
    thresholds = check_tious(tious)
    check_ties(ties)
    groups = class_groups(annotations, detections)
    classes = len(groups.classes)
    rows = scoring_order(groups.found_class, detections["score"].to_numpy(dtype=np.float64), ties)
    found_class = groups.found_class[rows]
    hits = _hits(groups, annotations, detections, rows, thresholds, ties)
    left_out = overlaps_ignored(detections, ignored)[rows][:, None] & ~hits
    num_truths = np.bincount(groups.truth_class, minlength=classes)
    ap = interpolated_precision(hits, found_class, num_truths, left_out)
    return DetectionMap(
        classes=groups.classes,
        tious=thresholds,
        ap=ap,
        map=ap.mean(axis=0),
        average=float(ap.mean()),
        num_truths=num_truths,
        num_detections=np.bincount(found_class, minlength=classes),
        dropped=len(detections) - len(rows),
        in_unknown_videos=int((groups.found_group[rows] < 0).sum()),
        ignored=left_out.sum(axis=0),
    )


def _hits(
    groups: ClassGroups,
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    rows: np.ndarray,
    thresholds: np.ndarray,
    ties: Ties,
) -> np.ndarray:
    """Which detections, in scoring order `rows`, are true positives at each threshold: bool [n, T]."""
    start, end = segments(detections)
    found = GroupedSegments(groups.found_group[rows], start[rows], end[rows])
    truth = GroupedSegments(groups.truth_group, *segments(annotations))
    pairs = overlapping_pairs(found, truth, float(thresholds.min()))
    preferred = preferences(pairs, found, truth) if ties == "official" else None
    return match(pairs, thresholds, len(rows), len(annotations), preferred)


def interpolated_precision(
    hits: np.ndarray,
    group: np.ndarray,
    num_truths: np.ndarray,
    left_out: np.ndarray | None = None,
) -> np.ndarray:
    """Interpolated average precision from true positives in scoring order.

    hits: bool [n, T], rows sorted by class and falling score; group: int [n], the class of each row
    (rising); num_truths: int [C], all above 0; left_out: bool [n, T], rows that do not count there, none
    of them a true positive (None: all count). Returns float64 [C, T].

    Precision falls at every false positive, so its running maximum from the right is taken over the
    true positives alone; each adds 1 / num_truths to the recall.
    """
    classes, steps = len(num_truths), hits.shape[1]
    step, row = np.nonzero(hits.T)
    label = group[row]
    first_row = np.searchsorted(group, np.arange(classes))
    cell = step * classes + label
    first_hit = np.searchsorted(cell, cell)
    seen = row - first_row[label] + 1
    if left_out is not None and left_out.any():
        skipped = np.concatenate([np.zeros((1, steps), np.int64), np.cumsum(left_out, axis=0)])
        seen -= skipped[row, step] - skipped[first_row[label], step]
    precision = (np.arange(len(row)) - first_hit + 1) / seen
    # The running maximum of all cells at once: in ranks, raised by a cell's number so that a cell
    # never sees the one before it. Ranks are whole numbers, so no precision is lost.
    values, rank = np.unique(precision, return_inverse=True)
    raised = (classes * steps - cell) * len(values) + rank
    best = np.maximum.accumulate(raised[::-1])[::-1] - (classes * steps - cell) * len(values)
    area = np.bincount(cell, weights=values[best] if len(row) else None, minlength=classes * steps)
    precisions: np.ndarray = area.reshape(steps, classes).T / num_truths[:, None]
    return precisions
