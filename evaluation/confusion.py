"""Which class is taken for which, among detections that lie where something is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.matching import partners
from evaluation.overlap import GroupedSegments, overlapping_pairs
from evaluation.tables import (
    check_annotations,
    check_detections,
    check_tious,
    segments,
    shared_codes,
)


@dataclass(frozen=True)
class Confusion:
    """Ground truths by their class (rows) and that of the detection there (columns).

    classes: C of them; counts: int64 [C, C]; missed: int64 [C], those where no detection lies; others: int64
    [C], those whose detection has a class without ground truth. Each row, with missed and others, sums to the
    class's ground truths.
    """

    tiou: float
    classes: tuple[Any, ...]
    counts: np.ndarray
    missed: np.ndarray
    others: np.ndarray


def confusion(
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    tiou: float = 0.5,
    *,
    threshold: float = -np.inf,
) -> Confusion:
    """Match detections with ground truth whatever their classes, and count the pairs of classes.

    annotations, detections: as for `detection_map`
    tiou: the least tIoU of a match; threshold: detections with a lower score are left out

    In order of falling score (equal scores: the earlier row first) each detection takes the free ground
    truth of its video with the largest tIoU, at least `tiou`; of equal ones that of its own class. So a ground
    truth counts once, with the best scored detection there. Raises TableError for tables that cannot be compared.
    """
    check_annotations(annotations)
    check_detections(detections)
    least = check_tious([tiou])
    detections = detections[detections["score"] >= threshold]
    order = np.argsort(-detections["score"].to_numpy(np.float64), kind="stable")
    detections = detections.iloc[order]
    classes, truth, found = shared_codes(annotations["label"], detections["label"], "detections")
    _, truth_video, video = shared_codes(annotations["video"], detections["video"], "detections")
    pairs = overlapping_pairs(
        GroupedSegments(video, *segments(detections)),
        GroupedSegments(truth_video, *segments(annotations)),
        float(least[0]),
    )
    same = found[pairs.left] == truth[pairs.right]
    preferred = pairs.right + same * len(annotations)
    taken = partners(pairs, least, len(detections), len(annotations), preferred)[:, 0]
    size = len(classes)
    # The last two columns: of a class without ground truth, and of none.
    column = np.full(len(annotations), size + 1)
    row = np.flatnonzero(taken >= 0)
    column[taken[row]] = np.where(found[row] >= 0, found[row], size)
    table = np.bincount(truth * (size + 2) + column, minlength=size * (size + 2))
    table = table.reshape(size, size + 2)
    return Confusion(tiou, tuple(classes), table[:, :size], table[:, size + 1], table[:, size])
