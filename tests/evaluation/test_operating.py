"""Thresholds on the score against counting above each of them; the confusion of classes by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.detection_tables import FOUND, TRUTH, tables

from evaluation import confusion, operating_points
from evaluation.matched import matched
from evaluation.operating import short_threshold


@pytest.mark.parametrize("seed", range(4))
def test_each_point_is_what_a_threshold_leaves(seed):
    truth, found = tables(seed)
    found["score"] = found["score"].round(1)  # many equal ones
    points = operating_points(truth, found)
    known = found[found["label"].isin(truth["label"])]
    assert points.scores.tolist() == sorted(known["score"].unique(), reverse=True)
    for place, score in enumerate(points.scores):
        left = known[known["score"] >= score]
        right = (matched(truth, left, [0.5]).taken >= 0).sum()
        assert points.precision[place] == pytest.approx(right / len(left))
        assert points.recall[place] == pytest.approx(right / len(truth))
        assert points.f1[place] == pytest.approx(2 * right / (len(left) + len(truth)))
    assert points.best.f1 == points.f1.max()
    kept = known[known["score"] >= points.best.threshold]
    assert (len(kept), points.best.segments) == (points.best.detections, len(truth))
    assert sum(one.right for one in points.at_best.values()) == points.best.right
    for label, best in points.by_class.items():
        alone = operating_points(truth[truth["label"] == label], known[known["label"] == label])
        assert best == alone.best and best.f1 >= points.at_best[label].f1


def test_without_detections_there_is_no_threshold():
    truth, found = tables(0)
    points = operating_points(truth, found[:0])
    assert np.isnan(points.best.threshold) and points.best.f1 == 0 and not len(points.scores)


@pytest.mark.parametrize(
    ("score", "below", "wanted"),
    [(0.31264, 0.28, 0.31), (0.31264, 0.3101, 0.312), (0.5, 0.49999999, 0.5), (1.0, 0.2, 1.0), (12.7, -np.inf, 12.0),
     (0.0, -np.inf, 0.0), (1.2345e-12, 1.1e-12, 1.2e-12), (0.3, 0.3 - 1e-16, 0.3)],
)  # fmt: skip
def test_a_threshold_is_short_and_between(score, below, wanted):
    found = short_threshold(score, below)
    assert found == pytest.approx(wanted) and below < found <= score
    if score != 0.3:
        assert len(f"{found:g}") <= len(f"{wanted:g}")


def test_confusion_counts_each_truth_once():
    truth = pd.DataFrame(
        [("v", 0, 10, "a"), ("v", 20, 30, "a"), ("v", 40, 50, "b"), ("v", 60, 70, "b"), ("w", 0, 10, "b"),
         ("w", 20, 30, "a"), ("w", 20, 30, "b")],
        columns=TRUTH,
    )  # fmt: skip
    found = pd.DataFrame(
        [("v", 0, 10, "b", 0.9), ("v", 0, 10, "a", 0.8), ("v", 21, 30, "a", 0.7), ("v", 40, 50, "other", 0.6),
         ("v", 60, 70, "b", 0.1), ("x", 0, 10, "a", 0.9), ("w", 20, 30, "b", 0.5), ("w", 20, 30, "a", 0.4)],
        columns=FOUND,
    )  # fmt: skip
    seen = confusion(truth, found, 0.5, threshold=0.3)
    assert seen.classes == ("a", "b")
    assert seen.counts.tolist() == [[2, 1], [0, 1]]
    assert seen.missed.tolist() == [0, 2] and seen.others.tolist() == [0, 1]
    everything = confusion(truth, found, 0.5)
    assert everything.missed.tolist() == [0, 1] and everything.counts[1, 1] == 2
