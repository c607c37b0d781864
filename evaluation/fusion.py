"""Proposal score x class score -> detections (Appendix A.2, classification of proposals)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import TableError
from evaluation.tables import check_proposals

# Proposals fused together: bounds the memory (a few arrays of 300 scores per proposal).
_ROWS_AT_ONCE = 8192


def video_level(
    proposals: pd.DataFrame,
    scores: Mapping[str, np.ndarray],
    classes: Sequence[Any],
    top: int,
) -> pd.DataFrame:
    """Give every proposal the `top` best classes of its video (HACS).

    proposals: video, start, end (seconds), score; scores: video -> class scores [K]; classes: K
    labels. A detection's score is proposal score x class score. Returns detections(video, start,
    end, label, score), the proposals in their order, each with its classes by falling score. `top`
    above K means K.
    Raises TableError for a video without scores, scores that do not fit the classes, or NaN.
    """
    check_proposals(proposals)
    videos, code = _videos(proposals)
    missing = [video for video in videos if video not in scores]
    if missing:
        raise TableError(f"scores: none for video {missing[0]} ({len(missing)} such videos)")
    for video in videos:
        if np.shape(scores[video]) != (len(classes),):
            raise TableError(
                f"scores: those of video {video} have shape {np.shape(scores[video])}; "
                f"there are {len(classes)} classes"
            )
    table = np.stack([scores[video] for video in videos]) if videos else np.zeros((0, len(classes)))
    _check_class_scores(table, len(videos), len(classes), "scores")
    index = top_k(table, _at_most(top, len(classes), "top"))
    value = np.take_along_axis(table, index, axis=1)
    return _detections(proposals, np.asarray(classes, dtype=object), index[code], value[code])


def per_proposal(
    proposals: pd.DataFrame, class_scores: np.ndarray, classes: Sequence[Any], top: int
) -> pd.DataFrame:
    """Give every proposal its own `top` best classes.

    proposals: video, start, end (seconds), score, n rows; class_scores: [n, K]; classes: K labels.
    Scores and order as in `video_level`. Raises TableError for shapes that do not fit, or NaN.
    """
    check_proposals(proposals)
    class_scores = np.asarray(class_scores)
    _check_class_scores(class_scores, len(proposals), len(classes), "class_scores")
    count = _at_most(top, len(classes), "top")
    index = np.concatenate(
        [top_k(class_scores[rows], count) for rows in _proposal_chunks(len(proposals))]
        or [np.zeros((0, count), np.int64)]
    )
    value = np.take_along_axis(class_scores, index, axis=1)
    return _detections(proposals, np.asarray(classes, dtype=object), index, value)


def verb_noun(
    proposals: pd.DataFrame,
    verb_scores: np.ndarray,
    noun_scores: np.ndarray,
    top_verbs: int = 10,
    top_nouns: int = 30,
    pairs: int = 5,
) -> pd.DataFrame:
    """Give every proposal its `pairs` best verb-noun pairs (EPIC-KITCHENS-100).

    proposals: video, start, end (seconds), score, n rows; verb_scores: [n, V]; noun_scores: [n, N].
    Pairs are scored by `best_pairs`; a detection's score is proposal score x pair score. Returns
    detections(video, start, end, label, score, verb, noun), label "verb,noun"; the proposals in
    their order, each with its pairs by falling score. Raises TableError for shapes that do not fit,
    or NaN.
    """
    check_proposals(proposals)
    verb_scores, noun_scores = np.asarray(verb_scores), np.asarray(noun_scores)
    _check_class_scores(verb_scores, len(proposals), None, "verb_scores")
    _check_class_scores(noun_scores, len(proposals), None, "noun_scores")
    verb, noun, score = best_pairs(verb_scores, noun_scores, top_verbs, top_nouns, pairs)
    nouns = noun_scores.shape[1]
    # Labels are made once a distinct pair, not once a detection.
    code, place = np.unique(verb * nouns + noun, return_inverse=True)
    names = [f"{value // nouns},{value % nouns}" for value in code.tolist()]
    labels = np.array(names, dtype=object)
    frame = _detections(proposals, labels, place.reshape(verb.shape), score)
    return frame.assign(verb=verb.reshape(-1), noun=noun.reshape(-1))


def best_pairs(
    verb_scores: np.ndarray,
    noun_scores: np.ndarray,
    top_verbs: int = 10,
    top_nouns: int = 30,
    pairs: int = 5,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The verb-noun pairs with the largest product, among the best verbs and nouns of a row.

    verb_scores: [n, V]; noun_scores: [n, N], not negative. Returns (verb [n, P], noun [n, P],
    product [n, P]) by falling product; equal products: the better verb first, then the better noun.
    Counts above the number there is mean all. Raises TableError for a count below 1 or negative
    scores.
    """
    for name, scores in (("verb_scores", verb_scores), ("noun_scores", noun_scores)):
        if scores.size and scores.min() < 0:
            raise TableError(f"{name}: holds {scores.min()}; give probabilities (after softmax)")
    verbs = _at_most(top_verbs, verb_scores.shape[1], "top_verbs")
    nouns = _at_most(top_nouns, noun_scores.shape[1], "top_nouns")
    count = _at_most(pairs, verbs * nouns, "pairs")
    rows = len(verb_scores)
    verb, noun = np.empty((2, rows, count), np.int64)
    product = np.empty((rows, count), np.result_type(verb_scores, noun_scores))
    for chunk in _proposal_chunks(rows):
        best_verb, best_noun = top_k(verb_scores[chunk], verbs), top_k(noun_scores[chunk], nouns)
        joint = (
            np.take_along_axis(verb_scores[chunk], best_verb, axis=1)[:, :, None]
            * np.take_along_axis(noun_scores[chunk], best_noun, axis=1)[:, None, :]
        ).reshape(-1, verbs * nouns)
        best = top_k(joint, count)
        verb[chunk] = np.take_along_axis(best_verb, best // nouns, axis=1)
        noun[chunk] = np.take_along_axis(best_noun, best % nouns, axis=1)
        product[chunk] = np.take_along_axis(joint, best, axis=1)
    return verb, noun, product


def top_k(values: np.ndarray, k: int) -> np.ndarray:
    """The columns of the k largest values of each row, [n, k], by falling value, then by column.

    values: [n, C], 1 <= k <= C. Equal to a stable sort of the negated rows, without sorting all of
    C.
    """
    least = np.partition(values, values.shape[1] - k, axis=1)[:, -k, None]
    above = values > least
    equal = values == least
    # Of the columns that equal the k-th largest value, the first ones fill up the k.
    room = k - above.sum(axis=1, keepdims=True)
    chosen = above | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= room))
    columns = np.nonzero(chosen)[1].reshape(len(values), k)
    order = np.argsort(-np.take_along_axis(values, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def _detections(
    proposals: pd.DataFrame, labels: np.ndarray, index: np.ndarray, score: np.ndarray
) -> pd.DataFrame:
    """One row per proposal and class: index [n, K] into labels, score [n, K] of the class."""
    repeated = proposals[["video", "start", "end"]]
    repeated = repeated.take(np.repeat(np.arange(len(proposals)), index.shape[1]))
    final = proposals["score"].to_numpy(dtype=np.float64)[:, None] * score
    return repeated.reset_index(drop=True).assign(
        label=labels[index.reshape(-1)], score=final.reshape(-1)
    )


def _videos(proposals: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    code, names = pd.factorize(proposals["video"])
    return list(names), code


def _proposal_chunks(rows: int) -> Iterator[slice]:
    return (slice(i, i + _ROWS_AT_ONCE) for i in range(0, rows, _ROWS_AT_ONCE))


def _at_most(count: int, limit: int, name: str) -> int:
    if count < 1:
        raise TableError(f"{name} is {count}; give at least 1")
    return min(count, limit)


def _check_class_scores(scores: np.ndarray, rows: int, classes: int | None, name: str) -> None:
    """Scores must be [rows, classes], one class at least, finite."""
    wanted = f"[{rows}, {'classes' if classes is None else classes}]"
    if scores.ndim != 2 or len(scores) != rows or classes not in (None, scores.shape[1]):
        raise TableError(f"{name}: shape {scores.shape}; give {wanted}, a row per proposal")
    if not scores.shape[1]:
        raise TableError(f"{name}: no class; give at least one")
    bad = ~np.isfinite(scores).all(axis=1)
    if bad.any():
        raise TableError(f"{name}: row {int(bad.argmax())} holds NaN or infinity")
