"""Detections matched with ground truth once, for everything that is counted on it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.ignoring import overlaps_ignored
from evaluation.matching import partners
from evaluation.overlap import GroupedSegments, overlapping_pairs
from evaluation.tables import check_tious, class_groups, segments
from evaluation.ties import Ties, check_ties, preferences, scoring_order


@dataclass(frozen=True)
class Matched:
    """Detections in scoring order, and the ground truth that each takes by the rules of `detection_map`.

    classes: of the ground truth, sorted, C of them; videos: of both tables, V of them, sorted
    tious: float64 [T]
    rows: int64 [n], rows of the table of detections: those of a known class, by class, then falling score
    group, video: int64 [n], numbers in `classes` and `videos`; score: float64 [n]
    taken: int64 [n, T], the row of the ground truth that each takes, -1 for none
    left_out: bool [n, T], takes none and overlaps an ignored segment: neither right nor wrong
    truth_group, truth_video: int64 [m]
    """

    classes: tuple[Any, ...]
    videos: tuple[Any, ...]
    tious: np.ndarray
    rows: np.ndarray
    group: np.ndarray
    video: np.ndarray
    score: np.ndarray
    taken: np.ndarray
    left_out: np.ndarray
    truth_group: np.ndarray
    truth_video: np.ndarray


def matched(
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    tious: Sequence[float],
    *,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> Matched:
    """Match detections (video, start, end, label, score) with annotations (video, start, end, label).

    The arguments are those of `detection_map`. Raises TableError for tables that cannot be scored.
    """
    thresholds = check_tious(tious)
    check_ties(ties)
    groups = class_groups(annotations, detections)
    score = detections["score"].to_numpy(dtype=np.float64)
    rows = scoring_order(groups.found_class, score, ties)
    start, end = segments(detections)
    found = GroupedSegments(groups.found_group[rows], start[rows], end[rows])
    truth = GroupedSegments(groups.truth_group, *segments(annotations))
    pairs = overlapping_pairs(found, truth, float(thresholds.min()))
    preferred = preferences(pairs, found, truth) if ties == "official" else None
    taken = partners(pairs, thresholds, len(rows), len(annotations), preferred)
    truth_video, video, videos = _videos(annotations["video"], detections["video"])
    ignores = overlaps_ignored(detections, ignored)[rows][:, None]
    return Matched(
        classes=groups.classes,
        videos=videos,
        tious=thresholds,
        rows=rows,
        group=groups.found_class[rows],
        video=video[rows],
        score=score[rows],
        taken=taken,
        left_out=ignores & (taken < 0),
        truth_group=groups.truth_class,
        truth_video=truth_video,
    )


def _videos(
    annotated: pd.Series, found: pd.Series
) -> tuple[np.ndarray, np.ndarray, tuple[Any, ...]]:
    """Numbers of the videos of both tables, and their names, sorted."""
    names = pd.Index(annotated.unique()).union(pd.Index(found.unique()), sort=True)
    codes = [
        np.asarray(names.get_indexer(pd.Index(column)), np.int64) for column in (annotated, found)
    ]
    return codes[0], codes[1], tuple(names.tolist())
