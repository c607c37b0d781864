"""AR@AN by hand and against a slow loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import TableError, average_recall


def truths(*rows):
    return pd.DataFrame(rows, columns=["video", "start", "end", "label"])


def proposed(*rows):
    return pd.DataFrame(rows, columns=["video", "start", "end", "score"])


def slow_recall(annotations, proposals, tiou, count):
    hits = 0
    for truth in annotations.itertuples():
        rows = [row for row in proposals.itertuples() if row.video == truth.video]
        rows = sorted(rows, key=lambda row: -row.score)[:count]
        for row in rows:
            inside = max(0, min(row.end, truth.end) - max(row.start, truth.start))
            union = (row.end - row.start) + (truth.end - truth.start) - inside
            if union == 0 or inside / union >= tiou:
                hits += 1
                break
    return hits / len(annotations)


def test_by_hand():
    annotations = truths(("a", 0, 10, "x"), ("a", 0, 10, "y"), ("b", 5, 9, "x"))
    proposals = proposed(("a", 50, 60, 0.9), ("a", 0, 8, 0.8), ("b", 5, 9, 0.1), ("zz", 0, 1, 0.5))
    result = average_recall(annotations, proposals, [0.5, 0.9], [1, 2, 5])
    np.testing.assert_allclose(result.recall, [[1 / 3, 1, 1], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(result.average, [1 / 3, 2 / 3, 2 / 3])
    np.testing.assert_allclose(result.curve, [1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3])
    # Trapezes from 1 to 5 proposals, over 5.
    assert result.area == pytest.approx((0.5 + 2 / 3 * 3) / 5)
    assert result.in_unknown_videos == 1


def test_no_proposal_recalls_nothing():
    result = average_recall(truths(("a", 0, 1, "x")), proposed(), [0.5], [1, 100])
    assert result.average.tolist() == [0.0, 0.0] and result.area == 0.0


times = st.tuples(st.integers(0, 9), st.integers(0, 5)).map(lambda x: (x[0], x[0] + x[1]))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), times), min_size=1, max_size=8),
    st.lists(st.tuples(st.sampled_from("abc"), times, st.integers(0, 3)), max_size=15),
)
def test_equals_the_slow_loop(truth, rows):
    annotations = truths(*((video, s, e, "x") for video, (s, e) in truth))
    proposals = proposed(*((video, s, e, score) for video, (s, e), score in rows))
    tious, counts = [0.1, 0.5, 1.0], [1, 3, 20]
    result = average_recall(annotations, proposals, tious, counts)
    wanted = [[slow_recall(annotations, proposals, t, n) for n in counts] for t in tious]
    np.testing.assert_allclose(result.recall, wanted, atol=1e-12)


@pytest.mark.parametrize("counts", [[], [0], [1.5], [-3, 2]])
def test_bad_counts_are_refused(counts):
    with pytest.raises(TableError, match="counts"):
        average_recall(truths(("a", 0, 1, "x")), proposed(), [0.5], counts)


def test_bad_proposals_are_refused():
    bad = proposed(("a", 0, 1, np.nan))
    with pytest.raises(TableError, match=r"proposals, row 0 \(video a\): score is nan"):
        average_recall(truths(("a", 0, 1, "x")), bad, [0.5], [1])
