"""What keeps an mAP from being higher: errors by kind, and the points that fixing each would win."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.error_fixes import FALSE_NEGATIVES, FALSE_POSITIVES, Fix, FixTable
from evaluation.error_groups import Groups, by_instances, by_length
from evaluation.error_kinds import KINDS, MISSED, NOT_COUNTED, RIGHT, Kinds, kinds_of
from evaluation.errors import TableError
from evaluation.matched import Matched, matched
from evaluation.resampling import means
from evaluation.ties import Ties

TIOU, BACKGROUND = 0.5, 0.1
_KINDS = range(len(KINDS))
ALL_FIXES = (*_KINDS, FALSE_POSITIVES, FALSE_NEGATIVES)


@dataclass(frozen=True)
class Breakdown:
    """Errors by group; K kinds in the order of KINDS.

    names: G groups; edges: the upper limits of all but the last (seconds or instances; empty for classes)
    segments, found: int64 [G], ground truths, and how many of them a detection takes
    counts: int64 [G, K], errors; gains: float64 [G, K], fractions of mAP gained if these alone were fixed (of a
        class: of its AP, with all errors of the kind fixed)
    """

    names: tuple[Any, ...]
    edges: np.ndarray
    segments: np.ndarray
    found: np.ndarray
    counts: np.ndarray
    gains: np.ndarray


@dataclass(frozen=True)
class ErrorTypes:
    """Errors of a table of detections at one tIoU; fractions of 1; K kinds in the order of KINDS.

    map: mAP at `tiou`; right: detections that take a ground truth; counted: those of a class with ground
    truth that no ignored segment excuses
    counts: int64 [K]; gains: float64 [K], mAP won if all of a kind were fixed, alone
    false_positives, false_negatives: mAP won if all of them were gone
    by_class, by_length, by_instances: the same by group
    kind: int64 [rows of detections], a number in KINDS, RIGHT (-1), NOT_COUNTED (-2); about: int64, the row of the
        ground truth it takes or is about, -1 for none
    truth_kind: int64 [rows of ground truth]: RIGHT, MISSED, or what its best detection did wrong
    """

    tiou: float
    background: float
    map: float
    right: int
    counted: int
    counts: np.ndarray
    gains: np.ndarray
    false_positives: float
    false_negatives: float
    by_class: Breakdown
    by_length: Breakdown
    by_instances: Breakdown
    kind: np.ndarray
    about: np.ndarray
    truth_kind: np.ndarray


def error_types(
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    tiou: float = TIOU,
    *,
    background: float = BACKGROUND,
    length_edges: Sequence[float] | None = None,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> ErrorTypes:
    """Sort errors into kinds, and compute how much mAP would be gained by fixing each kind.

    annotations, detections, ties, ignored: as for `detection_map`
    tiou: where detections are right; background: the tIoU below which a detection is on background
    length_edges: four limits of lengths in seconds. None: a fifth of the ground truths each.
    Raises TableError for tables that cannot be scored.
    """
    found, kinds = told(annotations, detections, tiou, background, ties=ties, ignored=ignored)
    table = FixTable(found, kinds)
    precision = table.precision([Fix(None), *(Fix(kind) for kind in ALL_FIXES)])[0]
    gains = precision.mean(axis=0)[1:] - precision[:, 0].mean()
    lengths = by_length(found, kinds, annotations, detections, length_edges)
    kind, about = _in_rows(found, kinds, len(detections))
    return ErrorTypes(
        tiou=tiou,
        background=background,
        map=float(precision[:, 0].mean()),
        right=int((kinds.kind == RIGHT).sum()),
        counted=int((kinds.kind != NOT_COUNTED).sum()),
        counts=_counts(kinds),
        gains=gains[: len(KINDS)],
        false_positives=float(gains[FALSE_POSITIVES]),
        false_negatives=float(gains[FALSE_NEGATIVES]),
        by_class=_of_classes(found, kinds, precision),
        by_length=_broken_down(table, kinds, lengths),
        by_instances=_broken_down(table, kinds, by_instances(found)),
        kind=kind,
        about=about,
        truth_kind=kinds.truth_kind,
    )


def resampled_gains(
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    tiou: float,
    weights: Callable[[Matched], np.ndarray],
    *,
    background: float = BACKGROUND,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> np.ndarray:
    """Points of mAP that each of ALL_FIXES wins in resamples of the videos: float64 [R, K + 2], fractions.

    `weights`: how often each video of the matched tables counts, [R, V] (`bootstrap.draws`). Otherwise as
    `error_types`.
    """
    found, kinds = told(annotations, detections, tiou, background, ties=ties, ignored=ignored)
    fixes = [Fix(None), *(Fix(kind) for kind in ALL_FIXES)]
    map_ = means(FixTable(found, kinds).precision(fixes, weights(found)))
    gains: np.ndarray = map_[:, 1:] - map_[:, :1]
    return gains


def told(
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    tiou: float,
    background: float = BACKGROUND,
    *,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> tuple[Matched, Kinds]:
    """Detections matched at one tIoU, with their kinds. Raises TableError as `error_types` does."""
    if not 0 < background <= tiou:
        raise TableError(f"background is {background}; give more than 0, up to the tIoU {tiou}")
    found = matched(annotations, detections, [tiou], ties=ties, ignored=ignored)
    return found, kinds_of(found, annotations, detections, tiou, background)


def _in_rows(found: Matched, kinds: Kinds, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Kind and ground truth of each row of the table of detections."""
    kind, about = np.full(rows, NOT_COUNTED), np.full(rows, -1)
    kind[found.rows], about[found.rows] = kinds.kind, kinds.about
    return kind, about


def _counts(kinds: Kinds) -> np.ndarray:
    """Errors of each kind [K]."""
    counts = np.bincount(kinds.kind[kinds.kind >= 0], minlength=len(KINDS))
    counts[MISSED] = (kinds.truth_kind == MISSED).sum()
    return counts


def _tally(
    kinds: Kinds, truth: np.ndarray, detection: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ground truths [G], those found [G] and errors [G, K] of groups."""
    counts = np.zeros((size, len(KINDS)), np.int64)
    wrong = kinds.kind >= 0
    np.add.at(counts, (detection[wrong], kinds.kind[wrong]), 1)
    counts[:, MISSED] = np.bincount(truth[kinds.truth_kind == MISSED], minlength=size)
    found = np.bincount(truth[kinds.truth_kind == RIGHT], minlength=size)
    return np.bincount(truth, minlength=size), found, counts


def _of_classes(found: Matched, kinds: Kinds, precision: np.ndarray) -> Breakdown:
    classes = found.classes
    tally = _tally(kinds, found.truth_group, found.group, len(classes))
    gains = precision[:, 1 : 1 + len(KINDS)] - precision[:, :1]
    return Breakdown(classes, np.zeros(0), *tally, gains)


def _broken_down(table: FixTable, kinds: Kinds, groups: Groups) -> Breakdown:
    size = len(groups.names)
    fixes = [
        Fix(kind, groups.detection == group, groups.truth == group)
        for group in range(size)
        for kind in _KINDS
    ]
    means = table.precision([Fix(None), *fixes])[0].mean(axis=0)
    gains = (means[1:] - means[0]).reshape(size, len(KINDS))
    tally = _tally(kinds, groups.truth, groups.detection, size)
    return Breakdown(groups.names, groups.edges, *tally, gains)
