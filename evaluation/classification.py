"""Accuracy of classifiers, and the action of a verb and a noun head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.errors import TableError

# Scores looked at together: bounds the memory where there are many classes (97 x 300 actions).
_SCORES_AT_ONCE = 1 << 24


def topk_accuracy(scores: np.ndarray, target: np.ndarray, k: int = 1) -> float:
    """Share of rows whose target is among the k highest scores; a fraction of 1.

    scores: float [n, C]; target: int [n] in [0, C). Equal scores rank by class number, lower first.
    Raises TableError for shapes that do not fit, NaN, targets out of range, k out of [1, C] or no
    row.
    """
    hits = topk_hits(scores, target, k)
    if not len(hits):
        raise TableError("scores: no rows; accuracy needs at least one")
    return float(hits.mean())


def per_class_accuracy(scores: np.ndarray, target: np.ndarray, k: int = 1) -> np.ndarray:
    """Top-k accuracy of the rows of each class, float64 [C]; NaN for a class without rows.

    scores: float [n, C]; target: int [n]
    k: how many classes count

    The mean over classes is `numpy.nanmean` of it.
    Raises TableError as `topk_accuracy` does.
    """
    hits = topk_hits(scores, target, k)
    classes = np.shape(scores)[1]
    rows = np.bincount(target, minlength=classes)
    right = np.bincount(target, weights=hits, minlength=classes)
    return np.where(rows > 0, right / np.maximum(rows, 1), np.nan)


def topk_hits(scores: np.ndarray, target: np.ndarray, k: int = 1) -> np.ndarray:
    """Whether each row's target is among its k highest scores: bool [n].

    scores: float [n, C]; target: int [n]. Raises TableError as `topk_accuracy` does, but takes no
    rows.
    """
    scores, target = np.asarray(scores), np.asarray(target)
    _check_scores(scores, "scores")
    _check_target(target, len(scores), scores.shape[1], "target")
    if not 1 <= k <= scores.shape[1]:
        raise TableError(f"k is {k}; give a number from 1 to {scores.shape[1]}, the classes")
    hits = np.empty(len(scores), bool)
    for rows in _row_chunks(len(scores), scores.shape[1]):
        hits[rows] = _rank(scores[rows], target[rows]) < k
    return hits


def action_probabilities(verb: np.ndarray, noun: np.ndarray) -> np.ndarray:
    """Joint probability of every verb and noun, [n, V, N]: their product, averaged over views last.

    The product rule of Huang et al. (2021), used by the paper in Section 5.2: verb and noun
    probabilities (after softmax) of one view are multiplied before the views are averaged.

    verb: [n, V] or [n, views, V]
    noun: [n, N] or [n, views, N]

    Raises TableError for shapes that do not
    fit or NaN.
    """
    verb, noun = _views(verb, "verb"), _views(noun, "noun")
    if verb.shape[:2] != noun.shape[:2]:
        raise TableError(
            f"verb has {verb.shape[0]} rows of {verb.shape[1]} views, noun {noun.shape[0]} of "
            f"{noun.shape[1]}; give both heads the same rows and views"
        )
    summed = np.matmul(verb.transpose(0, 2, 1), noun)
    joint: np.ndarray = summed / verb.dtype.type(verb.shape[1])
    return joint


def action_accuracy(
    verb: np.ndarray,
    noun: np.ndarray,
    verb_target: np.ndarray,
    noun_target: np.ndarray,
    k: int = 1,
) -> float:
    """Top-k accuracy of the joint verb-noun classes, a fraction of 1.

    verb, noun: as for `action_probabilities`; verb_target, noun_target: int [n]

    Holds the joint probabilities of a few rows at a time: all of EPIC-KITCHENS-100 validation would take 1.1 GB.
    Raises TableError for shapes that do not fit, NaN, targets or k out of range, or no row.
    """
    verb, noun = _views(verb, "verb"), _views(noun, "noun")
    verb_target, noun_target = np.asarray(verb_target), np.asarray(noun_target)
    nouns = noun.shape[2]
    _check_target(verb_target, len(verb), verb.shape[2], "verb_target")
    _check_target(noun_target, len(noun), nouns, "noun_target")
    if not len(verb) or len(verb) != len(noun):
        raise TableError(f"verb has {len(verb)} rows, noun {len(noun)}; give both the same, from 1")
    right = 0
    for rows in _row_chunks(len(verb), verb.shape[2] * nouns):
        joint = action_probabilities(verb[rows], noun[rows]).reshape(len(verb[rows]), -1)
        right += int(topk_hits(joint, verb_target[rows] * nouns + noun_target[rows], k).sum())
    return right / len(verb)


def accuracies(scores: Sequence[np.ndarray], target: np.ndarray) -> dict[str, float]:
    """Accuracy in percent of one head (top-1, top-5), or of a verb and a noun head (and their action).

    scores: float [n, classes], one array per head; target: int [n, heads]. With fewer than five classes
    the second is named after their number. Raises TableError as `topk_accuracy` does.
    """
    if len(scores) == 1:
        top5 = min(5, scores[0].shape[1])
        return {
            "top1": 100 * topk_accuracy(scores[0], target[:, 0], 1),
            f"top{top5}": 100 * topk_accuracy(scores[0], target[:, 0], top5),
        }
    verb, noun = scores
    return {
        "verb": 100 * topk_accuracy(verb, target[:, 0], 1),
        "noun": 100 * topk_accuracy(noun, target[:, 1], 1),
        "action": 100 * action_accuracy(verb, noun, target[:, 0], target[:, 1]),
    }


def ranks_of(scores: Sequence[np.ndarray], target: np.ndarray) -> dict[str, int]:
    """The place, from 0, of the target by falling score: of one head, or of verb, noun and action.

    scores: probabilities [views, classes], one array per head; views are averaged, and for actions the
    joint probabilities of each view (Huang et al. 2021). Equal scores rank by class number.
    """
    if len(scores) == 1:
        return {"class": _place(scores[0].mean(0), int(target[0]))}
    verb, noun = scores
    joint = action_probabilities(verb[None], noun[None])[0]
    action = int(target[0]) * joint.shape[1] + int(target[1])
    return {
        "verb": _place(verb.mean(0), int(target[0])),
        "noun": _place(noun.mean(0), int(target[1])),
        "action": _place(joint.ravel(), action),
    }


def _place(scores: np.ndarray, target: int) -> int:
    """The place of `target` by falling score [C], from 0."""
    return int(_rank(scores[None], np.array([target]))[0])


def _rank(scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The place of each row's target by falling score, from 0; equal scores by class number."""
    own = np.take_along_axis(scores, target[:, None], axis=1)
    before = np.arange(scores.shape[1]) < target[:, None]
    ranks: np.ndarray = ((scores > own) | ((scores == own) & before)).sum(axis=1)
    return ranks


def _row_chunks(rows: int, width: int) -> list[slice]:
    step = max(1, _SCORES_AT_ONCE // max(1, width))
    return [slice(i, i + step) for i in range(0, rows, step)]


def _views(values: np.ndarray, name: str) -> np.ndarray:
    """Probabilities as [n, views, classes], floats."""
    values = np.asarray(values)
    if values.ndim == 2:
        values = values[:, None]
    if values.ndim != 3:
        raise TableError(f"{name}: shape {values.shape}; give [rows, (views,) classes]")
    _check_scores(values.reshape(-1, values.shape[2]), name)
    if not values.shape[1]:
        raise TableError(f"{name}: no view; give at least one")
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float32)


def _check_scores(scores: np.ndarray, name: str) -> None:
    if scores.ndim != 2 or not scores.shape[1]:
        raise TableError(f"{name}: shape {scores.shape}; give [rows, classes]")
    bad = np.isnan(scores).any(axis=1)
    if bad.any():
        raise TableError(f"{name}: row {int(bad.argmax())} holds NaN")


def _check_target(target: np.ndarray, rows: int, classes: int, name: str) -> None:
    if target.shape != (rows,):
        raise TableError(f"{name}: shape {target.shape}; give one class for each of {rows} rows")
    if not np.issubdtype(target.dtype, np.integer):
        raise TableError(f"{name}: holds {target.dtype} values; give class numbers (integers)")
    bad = (target < 0) | (target >= classes)
    if bad.any():
        row = int(bad.argmax())
        raise TableError(f"{name}: row {row} is class {target[row]}; there are {classes}, from 0")
