"""Equal scores and equal tIoUs: the earlier row first, or exactly as the official evaluators' sort leaves them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import TableError, detection_map
from evaluation.ties import scoring_order

TIOUS = np.linspace(0.1, 0.5, 5)


def naive_official(annotations, detections, tious):
    """The official rule, one detection after another; AP of each class, sorted, by threshold."""
    rows = []
    for label in sorted(set(annotations["label"])):
        truth = annotations[annotations["label"] == label].reset_index(drop=True)
        own = detections[detections["label"] == label].reset_index(drop=True)
        own = own.loc[own["score"].to_numpy().argsort()[::-1]]
        taken = [set() for _ in tious]
        right = np.zeros((len(tious), len(own)), bool)
        for place, found in enumerate(own.itertuples()):
            of_video = truth[truth["video"] == found.video]
            start, end = of_video["start"].to_numpy(), of_video["end"].to_numpy()
            both = (np.minimum(found.end, end) - np.maximum(found.start, start)).clip(0)
            with np.errstate(invalid="ignore"):
                tiou = both / ((end - start) + (found.end - found.start) - both)
            for step, least in enumerate(tious):
                for column in tiou.argsort()[::-1]:
                    if tiou[column] < least:
                        break
                    if of_video.index[column] not in taken[step]:
                        taken[step].add(of_video.index[column])
                        right[step, place] = True
                        break
        rows.append([interpolated(line, len(truth)) for line in right])
    return np.array(rows)


def interpolated(right, count):
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[right].sum() / count)


def tables(seed, videos=6, classes=3, truths=60, found=4000, scores=3, grid=12):
    """Tables on a coarse grid, so that scores and tIoUs are equal again and again."""
    draw = np.random.default_rng(seed)

    def segments(count):
        start = draw.integers(0, grid, count)
        return {
            "video": [f"v{number}" for number in draw.integers(0, videos, count)],
            "start": start.astype(float),
            "end": (start + draw.integers(0, 5, count)).astype(float),
            "label": [f"c{number}" for number in draw.integers(0, classes, count)],
        }

    annotations = pd.DataFrame(segments(truths))
    detections = pd.DataFrame(segments(found)).assign(score=draw.integers(0, scores, found) / 7)
    return annotations, detections


@pytest.mark.parametrize("seed", range(6))
def test_thousands_of_equal_scores_come_to_the_official_numbers(seed):
    annotations, detections = tables(seed, scores=1 + seed)
    official = naive_official(annotations, detections, TIOUS)
    ours = detection_map(annotations, detections, TIOUS, ties="official")
    np.testing.assert_allclose(ours.ap, official, rtol=0, atol=1e-12)


def test_the_two_orders_differ_where_scores_are_equal_and_nowhere_else():
    annotations, detections = tables(0)
    maps = [
        detection_map(annotations, detections, TIOUS, ties=ties).ap
        for ties in ("stable", "official")
    ]
    assert np.abs(maps[0] - maps[1]).max() > 1e-3
    distinct = detections.assign(score=np.random.default_rng(1).permutation(len(detections)) / 7)
    # equal tIoUs are left: few, and between segments of other places
    one = annotations.drop_duplicates(["video", "label"])
    same = [detection_map(one, distinct, TIOUS, ties=ties).ap for ties in ("stable", "official")]
    np.testing.assert_array_equal(*same)


def test_stable_puts_the_earlier_row_first():
    order = scoring_order(np.array([0, 1, 0, -1, 0]), np.array([0.5, 0.5, 0.9, 1, 0.5]), "stable")
    assert order.tolist() == [2, 0, 4, 1]


def test_official_turns_few_equal_scores_around():
    # numpy sorts a handful by insertion or by a network; of two equal ones it leaves the order
    order = scoring_order(np.array([0, 0]), np.array([0.5, 0.5]), "official")
    assert order.tolist() == np.array([0.5, 0.5]).argsort()[::-1].tolist()
    assert scoring_order(np.array([-1, -1]), np.array([0.5, 0.5]), "official").tolist() == []


@given(st.integers(0, 10**6), st.integers(1, 25), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_small_tables_come_to_the_official_numbers(seed, truths, found):
    annotations, detections = tables(seed, 2, 2, truths, found, scores=2, grid=4)
    ours = detection_map(annotations, detections, [0.3, 0.5], ties="official").ap
    np.testing.assert_allclose(
        ours, naive_official(annotations, detections, [0.3, 0.5]), atol=1e-12
    )


def test_another_word_is_refused():
    annotations, detections = tables(0, found=3)
    with pytest.raises(TableError, match="ties: 'random'; give stable or official"):
        detection_map(annotations, detections, TIOUS, ties="random")
