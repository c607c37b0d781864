"""Average recall of proposals at a number per video (AR@AN), and the area under its curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.errors import TableError
from evaluation.overlap import GroupedSegments, Pairs, overlapping_pairs
from evaluation.tables import (
    check_annotations,
    check_proposals,
    check_tious,
    segments,
    shared_codes,
)


@dataclass(frozen=True)
class Recall:
    """Recall of the ground truth by the best proposals of each video; fractions of 1.

    tious: float64 [T]; counts: int64 [K], proposals per video
    recall: float64 [T, K]
    average: float64 [K], AR@AN: mean over the thresholds
    curve: float64 [max(counts)], AR@AN at 1, 2, ... max(counts)
    area: area under the curve over the number of proposals, divided by max(counts)
    in_unknown_videos: proposals in videos without ground truth, left out
    """

    tious: np.ndarray
    counts: np.ndarray
    recall: np.ndarray
    average: np.ndarray
    curve: np.ndarray
    area: float
    in_unknown_videos: int


def average_recall(
    annotations: pd.DataFrame,
    proposals: pd.DataFrame,
    tious: Sequence[float],
    counts: Sequence[int],
) -> Recall:
    """Score proposals (video, start, end, score) against annotations (video, start, end, label).

    A ground truth is recalled at (tIoU, AN) when one of the AN highest scoring proposals of its
    video (equal scores: the earlier row first) has at least that tIoU with it; one proposal may
    recall several. Labels do not matter. Where every video has as many proposals this is the
    ActivityNet AR@AN and, with counts up to 100, its AUC (as a fraction).

    annotations, proposals: times are seconds
    tious: thresholds in (0, 1]
    counts: AN, numbers of proposals per video, from 1

    Raises TableError for tables that cannot be scored; no proposal is a valid table and scores 0.
    """
    thresholds = check_tious(tious)
    wanted = _check_counts(counts)
    most = int(wanted.max())
    pairs, rank = _pairs(annotations, proposals, thresholds, most)
    unknown = ~proposals["video"].isin(annotations["video"].unique())
    curves = _recall_curves(pairs, thresholds, rank, len(annotations), most)
    curve = curves.mean(axis=0)
    return Recall(
        tious=thresholds,
        counts=wanted,
        recall=curves[:, wanted - 1],
        average=curve[wanted - 1],
        curve=curve,
        area=float((curve[1:] + curve[:-1]).sum() / 2 / most),
        in_unknown_videos=int(unknown.sum()),
    )


def recall_by_truth(
    annotations: pd.DataFrame,
    proposals: pd.DataFrame,
    tious: Sequence[float],
    counts: Sequence[int],
) -> np.ndarray:
    """Share of the thresholds at which each ground truth is recalled: float64 [rows of annotations, K].

    Its mean over the rows is `average_recall(...).average`. Raises TableError as that does.
    """
    thresholds = check_tious(tious)
    wanted = _check_counts(counts)
    pairs, rank = _pairs(annotations, proposals, thresholds, int(wanted.max()))
    share = np.zeros((len(annotations), len(wanted)))
    for tiou in thresholds:
        first = _first_ranks(pairs, tiou, rank, len(annotations), int(wanted.max()))
        share += first[:, None] < wanted
    return share / len(thresholds)


def _pairs(
    annotations: pd.DataFrame, proposals: pd.DataFrame, thresholds: np.ndarray, most: int
) -> tuple[Pairs, np.ndarray]:
    """Ground truths (left) with the `most` best proposals of their videos, and places by score of all proposals."""
    check_annotations(annotations)
    check_proposals(proposals)
    _, truth_video, video = shared_codes(annotations["video"], proposals["video"], "proposals")
    rank = _rank_in_video(video, proposals["score"].to_numpy(dtype=np.float64))
    pairs = overlapping_pairs(
        GroupedSegments(truth_video, *segments(annotations)),
        GroupedSegments(np.where(rank < most, video, -1), *segments(proposals)),
        float(thresholds.min()),
    )
    return pairs, rank


def _first_ranks(pairs: Pairs, tiou: float, rank: np.ndarray, truths: int, most: int) -> np.ndarray:
    """The rank of the first proposal that reaches each ground truth; `most` where none does: int64 [truths]."""
    chosen = pairs.tiou >= tiou
    first = np.full(truths, most)
    np.minimum.at(first, pairs.left[chosen], rank[pairs.right[chosen]])
    return first


def _recall_curves(
    pairs: Pairs, thresholds: np.ndarray, rank: np.ndarray, truths: int, most: int
) -> np.ndarray:
    """Recall at each threshold by the 1, 2, ... `most` best proposals per video: float64 [T, most].

    pairs: ground truths (left) with proposals (right), whose places in their videos are `rank`.
    """
    curves = np.empty((len(thresholds), most))
    for row, tiou in enumerate(thresholds):
        first = _first_ranks(pairs, tiou, rank, truths, most)
        reached = np.bincount(first, minlength=most + 1)[:most]
        curves[row] = np.cumsum(reached) / truths
    return curves


def _check_counts(counts: Sequence[int]) -> np.ndarray:
    values = np.asarray(counts).reshape(-1)
    if not len(values):
        raise TableError("counts: none given; give at least one number of proposals per video")
    whole = values.astype(np.int64)
    bad = (whole != values) | (whole < 1)
    if bad.any():
        raise TableError(f"counts: {values[bad][0]} is not a whole number from 1")
    return whole


def _rank_in_video(video: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The place of each row in its video by falling score, from 0; equal scores by row."""
    order = np.argsort(-score, kind="stable")
    order = order[np.argsort(video[order], kind="stable")]
    sorted_video = video[order]
    rank = np.empty(len(video), np.int64)
    rank[order] = np.arange(len(video)) - np.searchsorted(sorted_video, sorted_video)
    return rank
