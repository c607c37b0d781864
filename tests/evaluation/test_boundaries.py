"""Signed errors of boundaries by hand and against a slow loop."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import SignedErrors, TableError, signed_errors


def truths(*rows):
    return pd.DataFrame(rows, columns=["video", "start", "end", "label"])


def found(*rows):
    return pd.DataFrame(rows, columns=["video", "start", "end", "label", "score"])


def slow_errors(annotations, detections, tiou):
    errors, of = [], 0
    for truth in annotations.itertuples():
        if truth.end <= truth.start:
            continue
        of += 1
        best = None
        for row in detections.itertuples():
            if row.video != truth.video or row.label != truth.label:
                continue
            inside = max(0, min(row.end, truth.end) - max(row.start, truth.start))
            union = (row.end - row.start) + (truth.end - truth.start) - inside
            if inside / union >= tiou and (best is None or row.score > best.score):
                best = row
        if best is not None:
            errors.append((best.start - truth.start, best.end - truth.end))
    if not errors:
        return math.nan, math.nan, 0, of
    return *np.mean(errors, axis=0), len(errors), of


def test_by_hand():
    annotations = truths(("a", 10, 20, "x"), ("a", 30, 40, "x"), ("b", 0, 4, "y"))
    detections = found(
        ("a", 9, 19, "x", 0.8),  # the best of the first: a second early, both
        ("a", 10, 20, "x", 0.7),  # right, and not the best
        ("a", 10, 20, "y", 0.9),  # another class
        ("b", 10, 20, "x", 0.9),  # another video
        ("a", 33, 40.5, "x", 0.1),  # the best of the second
        ("b", 3, 9, "y", 0.9),  # too far from the third
    )
    result = signed_errors(annotations, detections)
    assert result == SignedErrors(start=(-1 + 3) / 2, end=(-1 + 0.5) / 2, count=2, of=3)
    assert signed_errors(annotations, detections, 0.9) == SignedErrors(0.0, 0.0, 1, 3)


def test_equal_scores_take_the_earlier_row():
    annotations = truths(("a", 0, 10, "x"))
    rows = [("a", 0, 9, "x", 0.5), ("a", 1, 10, "x", 0.5)]
    assert signed_errors(annotations, found(*rows)) == SignedErrors(0.0, -1.0, 1, 1)
    assert signed_errors(annotations, found(*rows[::-1])) == SignedErrors(1.0, 0.0, 1, 1)


def test_truths_without_a_detection_are_counted():
    result = signed_errors(truths(("a", 0, 1, "x"), ("a", 5, 5, "x"), ("a", 9, 8, "x")), found())
    assert math.isnan(result.start) and math.isnan(result.end)
    assert (result.count, result.of) == (0, 1)


def test_detections_of_no_length_match_nothing():
    annotations = truths(("a", 5, 5, "x"), ("a", 7, 9, "x"))
    result = signed_errors(annotations, found(("a", 5, 5, "x", 1.0), ("a", 8, 8, "x", 1.0)))
    assert (result.count, result.of) == (0, 1)


times = st.tuples(st.integers(0, 9), st.integers(0, 5)).map(lambda x: (x[0], x[0] + x[1]))
labels = st.sampled_from("xy")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), times, labels), min_size=1, max_size=8),
    st.lists(st.tuples(st.sampled_from("abc"), times, labels, st.integers(0, 2)), max_size=15),
    st.sampled_from([0.1, 0.5, 0.75, 1.0]),
)
def test_as_the_slow_loop(truth, rows, tiou):
    annotations = truths(*((v, *t, label) for v, t, label in truth))
    detections = found(*((v, *t, label, score) for v, t, label, score in rows))
    detections = detections.astype({"start": float, "end": float, "score": float})
    result = signed_errors(annotations, detections, tiou)
    expected = slow_errors(annotations, detections, tiou)
    np.testing.assert_allclose(
        (result.start, result.end, result.count, result.of), expected, atol=1e-12
    )


def test_tables_are_checked():
    with pytest.raises(TableError, match="not in"):
        signed_errors(truths(("a", 0, 1, "x")), found(), 0)
    with pytest.raises(TableError, match="no row"):
        signed_errors(truths(), found())
    with pytest.raises(TableError, match="before its start"):
        signed_errors(truths(("a", 0, 1, "x")), found(("a", 3, 1, "x", 0.5)))
