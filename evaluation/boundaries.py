"""How far detections begin and end from the truth, with the sign: too early or too late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.overlap import GroupedSegments, overlapping_pairs
from evaluation.tables import check_tious, class_groups, segments


@dataclass(frozen=True)
class SignedErrors:
    """Mean of detection less truth, seconds: below 0 is too early; NaN where no truth has a detection.

    start, end: mean error of the starts and of the ends
    count: truths that have a detection; of: truths that could have one
    """

    start: float
    end: float
    count: int
    of: int


def signed_errors(
    annotations: pd.DataFrame, detections: pd.DataFrame, tiou: float = 0.5
) -> SignedErrors:
    """Compare each ground-truth segment with the best detection of it.

    annotations: video, start, end, label; detections: video, start, end, label, score; seconds.

    The best detection is the one of highest score (equal scores: the earlier row) among those of the
    truth's class and video whose tIoU with it is at least `tiou`, in (0, 1]. It may be the best of two
    truths: this is no matching, mAP's rule of one detection a truth does not hold. A truth that does
    not last (its end at or before its start) is left out of `of`: it has no tIoU with anything.
    Raises TableError for tables that cannot be compared; no detection is a valid table.
    """
    least = float(check_tious([tiou])[0])
    groups = class_groups(annotations, detections)
    start, end = segments(annotations)
    lasts = end > start
    truth = GroupedSegments(np.where(lasts, groups.truth_group, -1), start, end)
    found = GroupedSegments(groups.found_group, *segments(detections))
    pairs = overlapping_pairs(truth, found, least)
    score = detections["score"].to_numpy(dtype=np.float64)
    order = np.lexsort((pairs.right, -score[pairs.right], pairs.left))
    # The first pair of each truth is now the one with its best detection.
    row, first = np.unique(pairs.left[order], return_index=True)
    best = pairs.right[order][first]
    if not len(row):
        return SignedErrors(np.nan, np.nan, 0, int(lasts.sum()))
    return SignedErrors(
        start=float((found.start[best] - start[row]).mean()),
        end=float((found.end[best] - end[row]).mean()),
        count=len(row),
        of=int(lasts.sum()),
    )
