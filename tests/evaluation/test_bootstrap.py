"""Resamples of videos against tables in which the videos stand as often; intervals of what is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.detection_tables import tables

from evaluation import bootstrap_map, detection_map, map_difference
from evaluation.bootstrap import draw, draws
from evaluation.error_types import error_types, resampled_gains
from evaluation.errors import TableError
from evaluation.matched import matched
from evaluation.recall import average_recall, recall_by_truth

TIOUS = [0.3, 0.5, 0.7]


def copied(table: pd.DataFrame, videos, counts) -> pd.DataFrame:
    """Each video's rows as often as it is drawn, under a name for each copy."""
    parts = [
        table[table["video"] == video].assign(video=f"{video} {copy}")
        for video, count in zip(videos, counts, strict=True)
        for copy in range(count)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("seed", range(4))
def test_a_resample_is_the_table_with_copied_videos(seed):
    truth, found = tables(seed)
    ignored = pd.DataFrame({"video": ["v0", "v1"], "start": 0.0, "end": 12.0})
    made = bootstrap_map(truth, found, TIOUS, resamples=25, seed=seed, ignored=ignored)
    whole = detection_map(truth, found, TIOUS, ignored=ignored)
    np.testing.assert_allclose(made.ap, whole.ap, atol=1e-12)
    np.testing.assert_allclose(made.map, whole.map, atol=1e-12)
    assert made.average == pytest.approx(whole.average, abs=1e-12)
    together = matched(truth, found, TIOUS)
    for sample, by_class, counts in zip(
        made.samples, made.class_samples, draws(together, None, 25, seed), strict=True
    ):
        drawn = [copied(table, together.videos, counts) for table in (truth, found, ignored)]
        naive = detection_map(drawn[0], drawn[1], TIOUS, ignored=drawn[2])
        np.testing.assert_allclose(sample, naive.map, atol=1e-12)
        own = dict(zip(naive.classes, naive.ap.mean(axis=1), strict=True))
        wanted = [own.get(name, np.nan) for name in made.classes]
        np.testing.assert_allclose(by_class, wanted, atol=1e-12)


def test_gains_of_errors_are_those_of_the_table_with_copied_videos():
    truth, found = tables(1)
    together = matched(truth, found, [0.5])
    weights = draws(together, None, 6, 3)
    gains = resampled_gains(truth, found, 0.5, lambda _: weights)
    for row, counts in zip(gains, weights, strict=True):
        told = error_types(*(copied(table, together.videos, counts) for table in (truth, found)))
        wanted = [*told.gains, told.false_positives, told.false_negatives]
        np.testing.assert_allclose(row, wanted, atol=1e-12)


def test_recall_of_each_truth_has_the_mean_that_is_average_recall():
    truth, found = tables(2)
    share = recall_by_truth(truth, found, TIOUS, (1, 5, 50))
    wanted = average_recall(truth, found, TIOUS, (1, 5, 50)).average
    np.testing.assert_allclose(share.mean(axis=0), wanted, atol=1e-12)


def test_a_result_set_does_not_differ_from_itself_and_a_worse_one_is_worse():
    truth, found = tables(3)
    first = bootstrap_map(truth, found, TIOUS, resamples=50)
    same = map_difference(first, bootstrap_map(truth, found, TIOUS, resamples=50))
    assert not same.map.any() and not same.low.any() and not same.high.any() and same.positive == 0
    perfect = bootstrap_map(
        truth,
        truth.assign(score=1.0),
        TIOUS,
        resamples=50,
        videos=[f"{p}{n}" for p in "vw" for n in range(6)],
    )
    assert (perfect.samples == 1).all() and perfect.interval() == (1, 1)
    again = bootstrap_map(
        truth, found, TIOUS, resamples=50, videos=[f"{p}{n}" for p in "vw" for n in range(6)]
    )
    better = map_difference(again, perfect)
    assert (
        better.positive == 1
        and (better.low > 0).all()
        and better.map[-1] == pytest.approx(1 - again.average)
    )


def test_every_resample_draws_as_many_videos_as_there_are():
    counts = draw(7, 40, 0)
    assert counts.shape == (40, 7) and (counts.sum(axis=1) == 7).all() and counts.max() > 1
    np.testing.assert_array_equal(counts, draw(7, 40, 0))
    assert (counts != draw(7, 40, 1)).any()


def test_the_interval_narrows_with_the_videos():
    def width(videos):
        truth, found = tables(0, videos)
        low, high = bootstrap_map(truth, found, [0.5], resamples=200).interval()
        return high - low

    truth, found = tables(0)
    parts = [
        [table.assign(video=table["video"] + f"/{n}") for n in range(9)] for table in (truth, found)
    ]
    low, high = bootstrap_map(*map(pd.concat, parts), [0.5], resamples=200).interval()
    assert high - low < 0.6 * width(6)


@pytest.mark.parametrize("more", [{"resamples": 0}, {"videos": ["v0"]}])
def test_what_cannot_be_drawn_is_refused(more):
    truth, found = tables(0)
    with pytest.raises(TableError):
        bootstrap_map(truth, found, [0.5], **more)


def test_results_of_other_classes_do_not_differ_by_anything():
    truth, found = tables(0)
    first = bootstrap_map(truth, found, [0.5], resamples=5)
    other = bootstrap_map(truth.assign(label="one"), found, [0.5], resamples=5)
    with pytest.raises(TableError, match="different classes, thresholds or resamples"):
        map_difference(first, other)
