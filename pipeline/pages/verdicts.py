"""Detections of videos against their ground truth: what is right, and what is wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.matching import partners
from evaluation.overlap import GroupedSegments, Pairs, overlapping_pairs
from evaluation.tables import segments

TIOU, NEAR = 0.5, 0.1  # from here on a detection is right; from here on it means that ground truth
RIGHT, WRONG_LABEL, BOUNDARIES_OFF = "right", "wrong label", "boundaries off"
BOTH, TWICE, NOTHING_THERE = "both", "twice", "nothing there"
WORDS = (RIGHT, WRONG_LABEL, BOUNDARIES_OFF, BOTH, TWICE, NOTHING_THERE)


@dataclass(frozen=True)
class Verdicts:
    """Of each detection [N] its word, of each ground truth [T] the score of the detection that is right; NaN: missed.

    A detection takes a ground truth only before those that score less. So both stay true whatever score detections
    are cut off at: a ground truth is missed where its score lies below the cut.
    """

    words: tuple[str, ...]
    found_by: np.ndarray


def verdicts(detections: pd.DataFrame, truth: pd.DataFrame, tiou: float = TIOU) -> Verdicts:
    """Match detections (start, end, label, score) to ground truth (start, end, label), of one video or of many.

    Where both have a column `video`, within each. As mAP does: in order of falling score (equal: the earlier
    row) each takes the free ground truth of its label with the largest tIoU of at least `tiou` (equal: the
    later row). Of the others: "twice", the one it fits is taken; "wrong label", it fits another label's;
    "boundaries off" and "both", the same at a tIoU of at least 0.1; else "nothing there".
    """
    order = np.argsort(-detections["score"].to_numpy(float), kind="stable")
    found_video, true_video = _codes(detections, truth, "video")
    found_label, true_label = _codes(detections, truth, "label")
    pairs = overlapping_pairs(
        GroupedSegments(found_video[order], *segments(detections.iloc[order])),
        GroupedSegments(true_video, *segments(truth)),
        min(tiou, NEAR),
    )
    same = found_label[order][pairs.left] == true_label[pairs.right]
    fits = same & (pairs.tiou >= tiou)
    own = Pairs(pairs.left[fits], pairs.right[fits], pairs.tiou[fits])
    taken = partners(own, np.array([tiou]), len(detections), len(truth))[:, 0]
    nearest = np.zeros((2, len(detections)))  # tIoU with other labels' ground truth, with its own
    np.maximum.at(nearest, (same.astype(int), pairs.left), pairs.tiou)
    words = np.empty(len(detections), object)
    words[order] = _words(taken >= 0, nearest[1], nearest[0], tiou)
    found_by = np.full(len(truth), np.nan)
    scores = detections["score"].to_numpy(float)[order]
    found_by[taken[taken >= 0]] = scores[taken >= 0]
    return Verdicts(tuple(words), found_by)


def _words(right: np.ndarray, own: np.ndarray, others: np.ndarray, tiou: float) -> np.ndarray:
    """The word of each detection [N]: whether it is right, and its largest tIoU with its own and other labels."""
    rules = (
        (right, RIGHT), (own >= tiou, TWICE), (others >= tiou, WRONG_LABEL),
        (own >= NEAR, BOUNDARIES_OFF), (others >= NEAR, BOTH),
    )  # fmt: skip
    chosen = np.select([rule for rule, _ in rules], range(len(rules)), len(rules))
    return np.array([*(word for _, word in rules), NOTHING_THERE], object)[chosen]


def _codes(
    detections: pd.DataFrame, truth: pd.DataFrame, column: str
) -> tuple[np.ndarray, np.ndarray]:
    """The values of a column of both tables as numbers, equal for equal; 0 where they have none."""
    if column not in detections or column not in truth:
        return np.zeros(len(detections), np.int64), np.zeros(len(truth), np.int64)
    both = pd.concat([detections[column].astype(object), truth[column].astype(object)])
    codes = np.asarray(pd.factorize(both)[0], np.int64)
    return codes[: len(detections)], codes[len(detections) :]
