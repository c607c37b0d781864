"""The baseline of mAP: a data frame row at a time, a loop over thresholds inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def baseline_detection_map(
    annotations: pd.DataFrame, detections: pd.DataFrame, tious: Sequence[float]
) -> np.ndarray:
    """Average precision [classes, thresholds], the classes of the ground truth in rising order."""
    return np.stack(
        [
            _class_precision(
                annotations[annotations["label"] == label].reset_index(drop=True),
                detections[detections["label"] == label],
                tious,
            )
            for label in sorted(annotations["label"].unique())
        ]
    )


def _class_precision(
    truth: pd.DataFrame, found: pd.DataFrame, tious: Sequence[float]
) -> np.ndarray:
    found = found.sort_values("score", ascending=False, kind="stable").reset_index(drop=True)
    if found.empty:
        return np.zeros(len(tious))
    by_video = truth.groupby("video")
    taken = np.zeros((len(tious), len(truth)), dtype=bool)
    right = np.zeros((len(tious), len(found)))
    for place, row in found.iterrows():
        try:
            candidates = by_video.get_group(row["video"])
        except KeyError:
            continue
        tiou = _overlap(row, candidates)
        best_first = tiou.argsort()[::-1]
        for step, threshold in enumerate(tious):
            for candidate in best_first:
                if tiou[candidate] < threshold:
                    break
                number = candidates.index[candidate]
                if not taken[step, number]:
                    taken[step, number] = True
                    right[step, place] = 1
                    break
    return np.array([_area(hits, len(truth)) for hits in right])


def _overlap(row: pd.Series, candidates: pd.DataFrame) -> np.ndarray:
    start, end = candidates["start"].values, candidates["end"].values
    shared = np.minimum(row["end"], end) - np.maximum(row["start"], start)
    shared = shared.clip(0)
    return shared / ((end - start) + (row["end"] - row["start"]) - shared)


def _area(hits: np.ndarray, truths: int) -> float:
    """Area under the precision made monotone, over recall."""
    right = np.cumsum(hits)
    recall = np.concatenate([[0.0], right / truths, [1.0]])
    precision = np.concatenate([[0.0], right / np.arange(1, len(hits) + 1), [0.0]])
    for place in range(len(precision) - 2, -1, -1):
        precision[place] = max(precision[place], precision[place + 1])
    steps = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return float(np.sum((recall[steps] - recall[steps - 1]) * precision[steps]))
