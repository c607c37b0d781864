"""Which stage of a detector costs the points: detections with one part of them corrected, scored alike.

A detector proposes segments and then names them. With true classes on its proposals, what is still missing is
the proposals' fault; with its classes on true segments, the classifier's; with the best segments that it could
propose at all, that of its grid of times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.detection import detection_map
from evaluation.errors import TableError
from evaluation.overlap import GroupedSegments, Pairs, overlapping_pairs, temporal_iou
from evaluation.tables import check_annotations, check_proposals, segments, shared_codes
from evaluation.ties import Ties

_CLASS_COLUMNS = ("label", "verb", "noun")


@dataclass(frozen=True)
class StageLoss:
    """mAP of one oracle; fractions of 1.

    map: float64 [T]
    average: mean over the thresholds
    gain: its average less that of the detections
    """

    map: np.ndarray
    average: float
    gain: float


def stage_losses(
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    oracles: Mapping[str, pd.DataFrame],
    tious: Sequence[float],
    *,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> dict[str, StageLoss]:
    """mAP with one stage replaced by the ground truth, for each oracle, and its gain over the detections.

    annotations, detections, tious, ties, ignored: as for `detection_map`
    oracles: name -> table of detections, as `with_true_classes` and `with_segments` make them

    Raises TableError for tables that cannot be scored.
    """
    own = detection_map(annotations, detections, tious, ties=ties, ignored=ignored).average
    losses = {}
    for name, table in oracles.items():
        scored = detection_map(annotations, table, tious, ties=ties, ignored=ignored)
        losses[name] = StageLoss(scored.map, scored.average, scored.average - own)
    return losses


def with_true_classes(proposals: pd.DataFrame, annotations: pd.DataFrame) -> pd.DataFrame:
    """Each proposal as a detection of the class that is there: that of the ground truth of the largest tIoU.

    Where the same segment has several classes, it gets each of them. One that overlaps nothing gets the class
    of the ground truth nearest in time: it stays wrong, as no classifier would make it right. Proposals
    (video, start, end, score) of videos without ground truth have no true class and are left out. Returns
    detections with the class columns of the annotations (label, and verb and noun where there are such).
    Raises TableError for tables of another form.
    """
    check_annotations(annotations)
    check_proposals(proposals)
    columns = [name for name in _CLASS_COLUMNS if name in annotations]
    truths = annotations.groupby("video", sort=False).indices
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for video, rows in proposals.groupby("video", sort=False).indices.items():
        if video in truths:
            of = truths[video]
            best, truth = _best_truths(proposals.iloc[rows], annotations.iloc[of])
            parts.append((rows[best], of[truth]))
    row, truth = (np.concatenate(side) for side in zip(*parts, strict=True)) if parts else _NOTHING
    result = proposals.iloc[row][["video", "start", "end", "score"]].reset_index(drop=True)
    classes = annotations.iloc[truth][columns].reset_index(drop=True)
    named = pd.concat([result, classes], axis=1).drop_duplicates(ignore_index=True)
    return named[["video", "start", "end", "label", "score", *columns[1:]]]


def true_segments(annotations: pd.DataFrame) -> pd.DataFrame:
    """The annotated segments as proposals with score 1, each once, those of no length left out."""
    check_annotations(annotations)
    rows = annotations[annotations["end"] > annotations["start"]]
    found = rows[["video", "start", "end"]].drop_duplicates(ignore_index=True)
    return found.assign(score=1.0)


def with_segments(annotations: pd.DataFrame, nearest: np.ndarray) -> pd.DataFrame:
    """The ground truth as detections of score 1 on other segments [m, 2], such as the nearest of a grid.

    A row of NaN is no segment, and no detection. Raises TableError unless there is one for each row.
    """
    check_annotations(annotations)
    nearest = np.asarray(nearest, np.float64)
    if nearest.shape != (len(annotations), 2):
        raise TableError(
            f"nearest: shape {nearest.shape}; give a start and an end for each of {len(annotations)} rows"
        )
    columns = [name for name in _CLASS_COLUMNS[1:] if name in annotations]
    table = annotations[["video", "start", "end", "label", *columns]].assign(
        start=nearest[:, 0], end=nearest[:, 1], score=1.0
    )
    return table[~np.isnan(nearest).any(axis=1)].reset_index(drop=True)


def nearest_proposals(
    annotations: pd.DataFrame, proposals: pd.DataFrame, least: float = 0.1
) -> pd.DataFrame:
    """For each ground truth the proposal with the largest tIoU, at least `least`: each proposal once, with score 1.

    Of equal tIoUs the higher score counts, then the earlier row. It is the best choice of segments among the
    proposals: what `true_segments` give beyond it was never proposed, or was suppressed.
    """
    check_annotations(annotations)
    check_proposals(proposals)
    pairs = _pairs(annotations, proposals, least)
    score = proposals["score"].to_numpy(np.float64)
    order = np.lexsort((pairs.right, -score[pairs.right], -pairs.tiou, pairs.left))
    _, first = np.unique(pairs.left[order], return_index=True)
    rows = np.unique(pairs.right[order][first])
    return proposals.iloc[rows].assign(score=1.0).reset_index(drop=True)


def _pairs(annotations: pd.DataFrame, proposals: pd.DataFrame, least: float) -> Pairs:
    _, truth_video, video = shared_codes(annotations["video"], proposals["video"], "proposals")
    return overlapping_pairs(
        GroupedSegments(truth_video, *segments(annotations)),
        GroupedSegments(video, *segments(proposals)),
        least,
    )


_NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.int64))


def _best_truths(
    proposals: pd.DataFrame, annotations: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a proposal and each ground truth that is nearest to it, by tIoU, then by distance."""
    start, end = (column[:, None] for column in segments(proposals))
    other_start, other_end = segments(annotations)
    tiou = temporal_iou(start, end, other_start, other_end)
    apart = np.maximum(np.maximum(other_start - end, start - other_end), 0.0)
    closeness = np.where(tiou > 0, 1 + tiou, -apart)
    row, truth = np.nonzero(closeness == closeness.max(axis=1, keepdims=True))
    return row, truth
