"""Detections of a video against its ground truth: what is right, and what is wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.overlap import temporal_iou

TIOU, NEAR = 0.5, 0.1  # from here on a detection is right; from here on it means that ground truth
RIGHT, WRONG_LABEL, BOUNDARIES_OFF = "right", "wrong label", "boundaries off"
BOTH, TWICE, NOTHING_THERE = "both", "twice", "nothing there"


@dataclass(frozen=True)
class Verdicts:
    """Of each detection [N] its word, of each ground truth [T] the score of the detection that is right; NaN: missed.

    A detection takes a ground truth only before those that score less. So both stay true whatever score detections
    are cut off at: a ground truth is missed where its score lies below the cut.
    """

    words: tuple[str, ...]
    found_by: np.ndarray


def verdicts(detections: pd.DataFrame, truth: pd.DataFrame, tiou: float = TIOU) -> Verdicts:
    """Match one video's detections (start, end, label, score) to its ground truth (start, end, label).

    As mAP does: in order of falling score (equal: the earlier row) each takes the free ground truth of its label with
    the largest tIoU of at least `tiou` (equal: the later row). Of the others: "twice", the one it fits
    is taken; "wrong label", it fits another label's; "boundaries off" and "both", the same at a tIoU of at
    least 0.1; else "nothing there".
    """
    start, end = truth["start"].to_numpy(float), truth["end"].to_numpy(float)
    labels = truth["label"].to_numpy(object)
    found_by = np.full(len(truth), np.nan)
    words = [NOTHING_THERE] * len(detections)
    scores = detections["score"].to_numpy(float)
    starts, ends = detections["start"].to_numpy(float), detections["end"].to_numpy(float)
    named = detections["label"].to_numpy(object)
    for row in np.argsort(-scores, kind="stable"):
        near = (start <= ends[row]) & (end >= starts[row])
        if starts[row] == ends[row]:
            near |= start == end  # two of no length fit wherever they are
        rows = np.flatnonzero(near)
        overlap = temporal_iou(starts[row], ends[row], start[rows], end[rows])
        same = labels[rows] == named[row]
        free = np.flatnonzero(same & np.isnan(found_by[rows]) & (overlap >= tiou))
        if len(free):
            best = free[len(free) - 1 - int(np.argmax(overlap[free][::-1]))]
            found_by[rows[best]], words[row] = scores[row], RIGHT
        else:
            words[row] = _what_is_wrong(overlap, same, tiou)
    return Verdicts(tuple(words), found_by)


def _what_is_wrong(overlap: np.ndarray, same: np.ndarray, tiou: float) -> str:
    """The word of a detection that takes no ground truth; overlap with those near, same: of its label."""
    own, others = overlap[same].max(initial=0.0), overlap[~same].max(initial=0.0)
    if own >= tiou:
        return TWICE
    if others >= tiou:
        return WRONG_LABEL
    if own >= NEAR:
        return BOUNDARIES_OFF
    return BOTH if others >= NEAR else NOTHING_THERE
