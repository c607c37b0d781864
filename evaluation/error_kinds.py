"""Which kind of error a detection is, and what became of a ground truth: one question each, at one tIoU.

The kinds are those of TIDE (Bolya et al. 2020, A General Toolbox for Identifying Object Detection Errors),
asked in its order, with the names of DETAD (Alwassel et al. 2018, Diagnosing Error in Temporal Action
Detectors). `own` is a false positive's largest tIoU with a ground truth of its class in its video, `other` that
with one of another class. With a tIoU t and a background threshold b (0.5 and 0.1):

- boundaries off (Localization): b <= own < t;
- wrong label (Wrong Label; TIDE's Classification): else, other >= t;
- twice (Double Detection; Duplicate): else, own >= t: it is right, but a better one has taken the truth;
- nothing there (Background): else, own and other < b;
- both (Confusion; Cls+Loc): else.

A ground truth that no detection takes is missed (Missed), unless a detection of the kinds boundaries off or
wrong label is about it: that is counted there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.matched import Matched
from evaluation.overlap import GroupedSegments, overlapping_pairs
from evaluation.tables import segments

KINDS = ("wrong label", "boundaries off", "both", "nothing there", "twice", "missed")
WRONG_LABEL, BOUNDARIES, BOTH, NOTHING, TWICE, MISSED = range(len(KINDS))
DETAD_NAMES = {
    "wrong label": "Wrong Label",
    "boundaries off": "Localization",
    "both": "Confusion",
    "nothing there": "Background",
    "twice": "Double Detection",
    "missed": "Missed",
}
RIGHT = -1
NOT_COUNTED = -2  # of a class without ground truth, or left out for an ignored segment


@dataclass(frozen=True)
class Kinds:
    """Kinds of matched detections, in scoring order, and of ground truths.

    kind: int64 [n], number in KINDS, RIGHT, or NOT_COUNTED
    about: int64 [n], the ground truth that it takes, or that its kind names; -1 for nothing there
    truth_kind: int64 [m], RIGHT where taken; MISSED; else WRONG_LABEL or BOUNDARIES, that of its best detection
    """

    kind: np.ndarray
    about: np.ndarray
    truth_kind: np.ndarray


def kinds_of(
    found: Matched,
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    tiou: float,
    background: float,
) -> Kinds:
    """The kinds at the one threshold `tiou` that `found` was matched at, by the rules above."""
    own, own_truth, other, other_truth = _nearest(found, annotations, detections, background)
    taken, out = found.taken[:, 0], found.left_out[:, 0]
    rules = [
        (taken >= 0, RIGHT, taken),
        (out, NOT_COUNTED, np.full(len(taken), -1)),
        ((own >= background) & (own < tiou), BOUNDARIES, own_truth),
        (other >= tiou, WRONG_LABEL, other_truth),
        (own >= tiou, TWICE, own_truth),
        (np.maximum(own, other) < background, NOTHING, np.full(len(taken), -1)),
    ]
    conditions = [condition for condition, _, _ in rules]
    kind = np.select(conditions, [number for _, number, _ in rules], BOTH)
    about = np.select(conditions, [truth for _, _, truth in rules], other_truth)
    return Kinds(kind, about, _truth_kinds(kind, about, len(annotations)))


def first_about(kind: np.ndarray, about: np.ndarray, wanted: int, score: np.ndarray) -> np.ndarray:
    """Of the detections of a kind, the best scored of each ground truth: rows, rising."""
    rows = np.flatnonzero(kind == wanted)
    rows = rows[np.lexsort((rows, -score[rows], about[rows]))]
    _, first = np.unique(about[rows], return_index=True)
    return np.sort(rows[first])


def _truth_kinds(kind: np.ndarray, about: np.ndarray, truths: int) -> np.ndarray:
    """The best that a detection does about each truth: takes it, has its boundaries off, mislabels it, none."""
    result = np.full(truths, MISSED)
    for one in (WRONG_LABEL, BOUNDARIES, RIGHT):
        result[about[kind == one]] = one
    return result


def _nearest(
    found: Matched, annotations: pd.DataFrame, detections: pd.DataFrame, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Largest tIoU [n] with a truth of the own and of another class, from `least` on, and which (-1: none).

    Equal tIoUs: the earlier ground truth.
    """
    start, end = (column[found.rows] for column in segments(detections))
    pairs = overlapping_pairs(
        GroupedSegments(found.video, start, end),
        GroupedSegments(found.truth_video, *segments(annotations)),
        least,
    )
    same = found.group[pairs.left] == found.truth_group[pairs.right]
    result = []
    for chosen in (same, ~same):
        left, right, tiou = (values[chosen] for values in (pairs.left, pairs.right, pairs.tiou))
        order = np.lexsort((right, -tiou, left))
        rows, first = np.unique(left[order], return_index=True)
        best, truth = np.zeros(len(start)), np.full(len(start), -1)
        best[rows], truth[rows] = tiou[order][first], right[order][first]
        result += [best, truth]
    return result[0], result[1], result[2], result[3]
