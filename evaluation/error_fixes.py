"""What average precision would be if errors of a kind were fixed: TIDE's oracles, all columns of one table.

- wrong label: the detection gets the class of the ground truth it is about, with its score; boundaries off: it
  gets that truth's boundaries. Of several about one truth the best scored is fixed, the others go; all go
  where the truth is taken by a right detection.
- both, nothing there, twice: the detection goes.
- missed: the ground truth is not to be found. A class of which nothing is left to be found counts as 1.
- false positives: all go. False negatives: every ground truth that no detection takes is not to be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.error_kinds import (
    BOUNDARIES,
    KINDS,
    MISSED,
    RIGHT,
    WRONG_LABEL,
    Kinds,
    first_about,
)
from evaluation.matched import Matched
from evaluation.resampling import Ranked, resampled_precision

FALSE_POSITIVES, FALSE_NEGATIVES = len(KINDS), len(KINDS) + 1
_COLUMNS_AT_ONCE = 16


@dataclass(frozen=True)
class Fix:
    """What one column fixes: a kind (or FALSE_POSITIVES, FALSE_NEGATIVES; None: nothing) of some errors.

    detections: bool [n], truths: bool [m], those it may fix; None: all.
    """

    kind: int | None
    detections: np.ndarray | None = None
    truths: np.ndarray | None = None


class FixTable:
    """Matched detections, and beside each wrong label that can be fixed the detection it would become."""

    def __init__(self, found: Matched, kinds: Kinds) -> None:
        self._found, self._kinds = found, kinds
        fixable = [self._fixable(kind) for kind in (WRONG_LABEL, BOUNDARIES)]
        self._boundaries = fixable[1]
        moved, self._moved = fixable[0], np.zeros(0, np.int64)
        group = found.truth_group[kinds.about[moved]]
        place = np.array(
            [_place(found, one, found.score[row]) for one, row in zip(group, moved, strict=True)],
            np.int64,
        )
        order = np.lexsort((moved, -found.score[moved], place, group))  # classes may share a place
        moved, group, place = moved[order], group[order], place[order]
        self._from = moved  # where the moved ones were, before they stood here
        self._moved = place + np.arange(len(place))
        self._own = np.setdiff1d(np.arange(len(found.group) + len(moved)), self._moved)
        self.group = np.insert(found.group, place, group)
        self.video = np.insert(found.video, place, found.video[moved])

    def columns(self, fixes: Sequence[Fix]) -> Ranked:
        """The table with a column a fix."""
        found, rows = self._found, len(self.group)
        hits, out = np.zeros((2, rows, len(fixes)), bool)
        truth_out = np.zeros((len(found.truth_group), len(fixes)), bool)
        right = self._kinds.kind == RIGHT
        for step, fix in enumerate(fixes):
            hits[self._own, step] = right
            out[self._own, step] = found.left_out[:, 0]
            out[self._moved, step] = True
            self._apply(fix, hits[:, step], out[:, step], truth_out[:, step])
        return Ranked(
            group=self.group,
            video=self.video,
            hits=hits,
            left_out=out if out.any() else None,
            truth_group=found.truth_group,
            truth_video=found.truth_video,
            truth_out=truth_out if truth_out.any() else None,
            classes=len(found.classes),
        )

    def precision(self, fixes: Sequence[Fix], weights: np.ndarray | None = None) -> np.ndarray:
        """AP of each class with each fix, by resample if there are `weights` [R, V]: float64 [R, C, fixes]."""
        if weights is None:
            weights = np.ones((1, len(self._found.videos)))
        parts = [
            resampled_precision(self.columns(fixes[first : first + _COLUMNS_AT_ONCE]), weights)
            for first in range(0, len(fixes), _COLUMNS_AT_ONCE)
        ]
        return np.concatenate(parts, axis=2)

    def _fixable(self, kind: int) -> np.ndarray:
        """The detections of a kind that take a truth once fixed: rows, rising."""
        kinds = self._kinds
        rows = first_about(kinds.kind, kinds.about, kind, self._found.score)
        fixable: np.ndarray = rows[kinds.truth_kind[kinds.about[rows]] != RIGHT]
        return fixable

    def _apply(self, fix: Fix, hits: np.ndarray, out: np.ndarray, truth_out: np.ndarray) -> None:
        if fix.kind is None:
            return
        kinds = self._kinds
        if fix.kind in (MISSED, FALSE_NEGATIVES):
            not_found = kinds.truth_kind != RIGHT
            gone = kinds.truth_kind == MISSED if fix.kind == MISSED else not_found
            truth_out[gone if fix.truths is None else gone & fix.truths] = True
            return
        wrong = kinds.kind >= 0 if fix.kind == FALSE_POSITIVES else kinds.kind == fix.kind
        wrong = wrong if fix.detections is None else wrong & fix.detections
        out[self._own[wrong]] = True
        if fix.kind == BOUNDARIES:
            fixed = self._own[self._boundaries[wrong[self._boundaries]]]
            hits[fixed], out[fixed] = True, False
        if fix.kind == WRONG_LABEL:
            fixed = self._moved[wrong[self._from]]
            hits[fixed], out[fixed] = True, False


def _place(found: Matched, group: int, score: float) -> int:
    """Where a row of a class and score comes in scoring order: after those of its score."""
    first, last = np.searchsorted(found.group, [group, group + 1])
    return int(first + np.searchsorted(-found.score[first:last], -score, side="right"))
