"""Segments that are neither right nor wrong to detect: THUMOS14's Ambiguous."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation import detection_map
from evaluation.ignoring import overlaps_ignored


def truths(*rows):
    return pd.DataFrame(rows, columns=["video", "start", "end", "label"])


def found(*rows):
    return pd.DataFrame(rows, columns=["video", "start", "end", "label", "score"])


TRUTH = truths(("a", 0, 10, "x"), ("b", 0, 10, "x"))
FOUND = found(
    ("a", 30, 40, "x", 0.95),  # overlaps what is ignored: neither right nor wrong
    ("a", 0, 10, "x", 0.9),
    ("a", 50, 60, "x", 0.8),  # only touches it: wrong
    ("b", 0, 10, "x", 0.7),
)
IGNORED = truths(("a", 39, 50, "Ambiguous"), ("c", 0, 99, "Ambiguous"))


def test_what_overlaps_an_ignored_segment_is_no_false_positive():
    plain = detection_map(TRUTH, FOUND, [0.5])
    assert plain.average == pytest.approx((1 / 2 + 1 / 2) / 2)  # precision 1/2, then 2/4
    ignoring = detection_map(TRUTH, FOUND, [0.5], ignored=IGNORED)
    assert ignoring.average == pytest.approx((1 + 2 / 3) / 2)  # 1/1, then 2/3
    assert ignoring.ignored.tolist() == [1] and plain.ignored.tolist() == [0]


def test_a_true_positive_stays_one_at_its_thresholds():
    # tIoU 0.6 with the truth: right at 0.5, and at 0.7 ignored, for it overlaps the ambiguous one too
    detections = found(("a", 4, 10, "x", 0.9), ("b", 0, 10, "x", 0.8))
    ignored = truths(("a", 9, 12, "Ambiguous"))
    result = detection_map(TRUTH, detections, [0.5, 0.7], ignored=ignored)
    assert result.ignored.tolist() == [0, 1]
    np.testing.assert_allclose(result.map, [1.0, 0.5])


def test_nothing_ignored_changes_no_digit():
    draw = np.random.default_rng(0)
    start = draw.random(400) * 50
    detections = pd.DataFrame(
        {"video": "a", "start": start, "end": start + 5, "label": "x", "score": draw.random(400)}
    )
    annotations = detections[:40].drop(columns="score")
    plain = detection_map(annotations, detections, [0.3, 0.5])
    for nothing in (None, IGNORED[:0], IGNORED[1:]):
        same = detection_map(annotations, detections, [0.3, 0.5], ignored=nothing)
        np.testing.assert_array_equal(plain.ap, same.ap)


def test_equals_a_map_without_the_ignored_rows():
    draw = np.random.default_rng(3)
    start = draw.random(300) * 100
    detections = pd.DataFrame(
        {"video": "a", "start": start, "end": start + 4, "label": "x", "score": draw.random(300)}
    )
    annotations = detections[detections["start"] < 50][:20].drop(columns="score")
    ignored = pd.DataFrame({"video": ["a"], "start": [60.0], "end": [200.0], "label": ["?"]})
    gone = overlaps_ignored(detections, ignored)
    assert 0 < gone.sum() < len(gone)
    ours = detection_map(annotations, detections, [0.3, 0.6], ignored=ignored)
    np.testing.assert_array_equal(
        ours.ap, detection_map(annotations, detections[~gone], [0.3, 0.6]).ap
    )


def test_a_moment_overlaps_nothing():
    assert not overlaps_ignored(found(("a", 41, 41, "x", 1.0)), IGNORED).any()
    assert overlaps_ignored(found(("c", 41, 42, "y", 1.0)), IGNORED).all()
