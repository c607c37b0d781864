"""mAP against hand-worked numbers and against a slow loop written from the rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import TableError, detection_map


def truths(*rows):
    return pd.DataFrame(rows, columns=["video", "start", "end", "label"])


def found(*rows):
    return pd.DataFrame(rows, columns=["video", "start", "end", "label", "score"])


def slow_map(annotations, detections, tious):
    """The rules as sentences: a loop over classes, thresholds, detections and ground truths."""
    classes = sorted(set(annotations["label"]))
    ap = np.zeros((len(classes), len(tious)))
    for c, label in enumerate(classes):
        truth = [row for row in annotations.itertuples() if row.label == label]
        rows = [row for row in detections.itertuples() if row.label == label]
        rows = sorted(rows, key=lambda row: -row.score)
        for t, threshold in enumerate(tious):
            free = set(range(len(truth)))
            right = []
            for row in rows:
                best, best_tiou = None, -1.0
                for i in sorted(free):
                    if truth[i].video != row.video:
                        continue
                    tiou = slow_tiou(row, truth[i])
                    if tiou >= threshold and tiou >= best_tiou:
                        best, best_tiou = i, tiou
                right.append(best is not None)
                free.discard(best)
            precision = [sum(right[: i + 1]) / (i + 1) for i in range(len(right))]
            ap[c, t] = sum(max(precision[i:]) for i in range(len(right)) if right[i]) / len(truth)
    return ap


def slow_tiou(a, b):
    inside = max(0.0, min(a.end, b.end) - max(a.start, b.start))
    union = (b.end - b.start) + (a.end - a.start) - inside
    return 1.0 if union == 0 else inside / union


def test_one_class_by_hand():
    annotations = truths(("a", 0, 10, "run"), ("a", 20, 30, "run"), ("b", 0, 10, "run"))
    detections = found(
        ("a", 0, 10, "run", 0.9),  # tIoU 1: right
        ("a", 1, 10, "run", 0.8),  # the ground truth is taken: wrong
        ("b", 0, 5, "run", 0.7),  # tIoU 0.5: right at 0.5, wrong at 0.75
        ("a", 21, 30, "run", 0.6),  # tIoU 0.9: right
    )
    result = detection_map(annotations, detections, [0.5, 0.75])
    # At 0.5: precision at the hits 1, 2/3, 3/4; monotone 1, 3/4, 3/4. At 0.75: 1, 2/4.
    np.testing.assert_allclose(result.ap, [[(1 + 0.75 + 0.75) / 3, (1 + 0.5) / 3]], rtol=1e-12)
    assert result.classes == ("run",)
    assert result.average == pytest.approx((2.5 + 1.5) / 6)
    assert result.num_truths.tolist() == [3] and result.num_detections.tolist() == [4]


def test_largest_free_overlap_is_taken():
    annotations = truths(("a", 0, 10, "x"), ("a", 5, 15, "x"))
    detections = found(("a", 4, 14, "x", 0.9), ("a", 5, 15, "x", 0.8))
    # The first takes the second ground truth (0.82 against 0.43); the second then gets tIoU 1/3 at
    # best.
    result = detection_map(annotations, detections, [0.3, 0.4])
    np.testing.assert_allclose(result.ap, [[1.0, 0.5]])


def test_other_classes_are_dropped_and_unknown_videos_are_wrong():
    annotations = truths(("a", 0, 1, "x"), ("a", 0, 1, "y"))
    detections = found(("zz", 0, 1, "x", 0.9), ("a", 0, 1, "x", 0.8), ("a", 0, 1, "w", 0.7))
    result = detection_map(annotations, detections, [0.5])
    np.testing.assert_allclose(result.ap, [[0.5], [0.0]])
    assert (result.dropped, result.in_unknown_videos) == (1, 1)
    np.testing.assert_allclose(result.map, [0.25])


def test_no_detection_scores_zero():
    result = detection_map(truths(("a", 0, 1, "x")), found(), [0.5, 0.9])
    assert result.ap.tolist() == [[0.0, 0.0]] and result.average == 0.0


def test_ground_truth_scores_one():
    annotations = truths(("a", 0, 1, 3), ("a", 0.5, 4, 3), ("b", 2, 2, 7), ("b", 1, 2, 7))
    detections = annotations.assign(score=1.0)
    result = detection_map(annotations, detections, np.linspace(0.1, 1.0, 10))
    assert (result.ap == 1).all() and result.classes == (3, 7)


def test_no_length_matches_no_length():
    annotations = truths(("a", 5, 5, "x"))
    assert detection_map(annotations, found(("a", 5, 5, "x", 1.0)), [0.95]).average == 1.0
    # Elsewhere in the video too, as 0 / 0 does in the official code; in another video it does not.
    assert detection_map(annotations, found(("a", 9, 9, "x", 1.0)), [0.95]).average == 1.0
    assert detection_map(annotations, found(("b", 5, 5, "x", 1.0)), [0.95]).average == 0.0
    assert detection_map(annotations, found(("a", 5, 6, "x", 1.0)), [0.1]).average == 0.0


def test_equal_scores_go_by_row():
    annotations = truths(("a", 0, 1, "x"))
    right, wrong = ("a", 0, 1, "x", 0.5), ("a", 3, 4, "x", 0.5)
    assert detection_map(annotations, found(right, wrong), [0.5]).average == 1.0
    assert detection_map(annotations, found(wrong, right), [0.5]).average == 0.5


times = st.tuples(st.integers(0, 12), st.integers(0, 6)).map(lambda x: (x[0], x[0] + x[1]))
truth_rows = st.lists(
    st.tuples(st.sampled_from("ab"), times, st.sampled_from("xy")), min_size=1, max_size=12
)
found_rows = st.lists(
    st.tuples(st.sampled_from("abc"), times, st.sampled_from("xyz"), st.integers(0, 4)), max_size=25
)


@settings(max_examples=150, deadline=None)
@given(truth_rows, found_rows)
def test_equals_the_slow_loop_with_ties(truth, detections):
    annotations = truths(*((video, s, e, label) for video, (s, e), label in truth))
    table = found(*((video, s, e, label, score / 4) for video, (s, e), label, score in detections))
    tious = [0.1, 0.3, 0.5, 0.75, 1.0]
    result = detection_map(annotations, table, tious)
    np.testing.assert_allclose(result.ap, slow_map(annotations, table, tious), atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_slow_loop_on_crowded_videos(seed):
    annotations, detections = crowd(seed)
    tious = [0.2, 0.4, 0.6]
    result = detection_map(annotations, detections, tious)
    np.testing.assert_allclose(result.ap, slow_map(annotations, detections, tious), atol=1e-12)
    shuffled = detections.sample(frac=1, random_state=seed)
    again = detection_map(annotations.sample(frac=1, random_state=seed), shuffled, tious)
    np.testing.assert_array_equal(again.ap, result.ap)
    one_by_one = [detection_map(annotations, detections, [tiou]).ap for tiou in tious]
    np.testing.assert_array_equal(np.concatenate(one_by_one, axis=1), result.ap)


def crowd(seed, n=25, m=300):
    rng = np.random.default_rng(seed)

    def table(rows):
        start = rng.random(rows) * 30
        return pd.DataFrame(
            {
                "video": rng.choice(["a", "b"], rows),
                "start": start,
                "end": start + rng.exponential(8, rows),
                "label": rng.integers(0, 3, rows),
            }
        )

    return table(n), table(m).assign(score=rng.permutation(m) / m)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, d: (a.iloc[:0], d), "no ground truths to evaluate"),
        (lambda a, d: (a.drop(columns="label"), d), "annotations: no column 'label'"),
        (lambda a, d: (a.assign(end=[1.0, np.nan]), d), "row 1 (video b): end is nan"),
        (lambda a, d: (a, d.assign(start=[9.0])), "row 0 (video a): ends at 1.0 s, before"),
        (lambda a, d: (a, d.assign(score=[np.inf])), "detections, row 0 (video a): score is inf"),
        (lambda a, d: (a, d.assign(score=["high"])), "column 'score' holds"),
        (lambda a, d: (a, d.assign(label=[None])), "detections, row 0: no label"),
        (lambda a, d: (a, d.assign(label=[3])), "give both the same type"),
        (lambda a, d: (a.assign(video=[1, 2]), d), "column 'video' holds"),
    ],
)
def test_bad_tables_are_refused(change, message):
    annotations = truths(("a", 0, 1, "x"), ("b", 0, 2, "x"))
    with pytest.raises(TableError) as error:
        detection_map(*change(annotations, found(("a", 0, 1, "x", 0.5))), [0.5])
    assert message in str(error.value) and "\n" not in str(error.value)


def test_ground_truth_that_ends_before_its_start_counts_and_is_not_found():
    annotations = truths(("a", 0, 4, "x"), ("a", 9, 6, "x"), ("b", 5, 2, "x"))
    detections = found(("a", 0, 4, "x", 0.5), ("a", 6, 9, "x", 0.4), ("b", 0, 9, "x", 0.3))
    assert detection_map(annotations, detections, [0.1, 0.5]).map == pytest.approx([1 / 3, 1 / 3])


@pytest.mark.parametrize("tious", [[], [0.0], [1.2], [0.5, np.nan]])
def test_bad_thresholds_are_refused(tious):
    with pytest.raises(TableError, match="tious"):
        detection_map(truths(("a", 0, 1, "x")), found(), tious)
