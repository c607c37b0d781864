"""What is right on a page is what mAP counts as right; each mistake has its word."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.timelines import segments
from hypothesis import given
from hypothesis import strategies as st

from evaluation import detection_map
from pipeline.pages.verdicts import verdicts

TRUTH = segments([(0, 10, "a"), (20, 30, "b")], "label")


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ((0, 10, "a"), "right"),
        ((0, 5, "a"), "right"),  # a tIoU of one half is enough
        ((0, 4.9, "a"), "boundaries off"),
        ((0, 1, "a"), "boundaries off"),
        ((0, 0.9, "a"), "nothing there"),
        ((0, 10, "b"), "wrong label"),
        ((0, 3, "b"), "both"),
        ((12, 18, "a"), "nothing there"),
        ((20, 30, "of another model"), "wrong label"),
    ],
)
def test_each_mistake_has_its_word(row, word):
    assert verdicts(segments([(*row, 0.5)], "label", "score"), TRUTH).words == (word,)


def test_a_truth_is_taken_once_by_the_best():
    rows = [(0, 9, "a", 0.3), (0, 10, "a", 0.8), (0, 8, "a", 0.3)]
    found = verdicts(segments(rows, "label", "score"), TRUTH)
    assert found.words == ("twice", "right", "twice")
    assert found.found_by[0] == 0.8 and np.isnan(found.found_by[1])


def test_without_rows():
    none = segments([], "label", "score")
    assert verdicts(none, TRUTH).words == () and np.isnan(verdicts(none, TRUTH).found_by).all()
    some = segments([(0, 1, "a", 0.5)], "label", "score")
    assert verdicts(some, none).words == ("nothing there",)


@st.composite
def tables(draw, *columns):
    count = draw(st.integers(1, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    begin = rng.integers(0, 12, count)
    rows = zip(
        begin, begin + rng.integers(0, 6, count), rng.choice(list("abc"), count), strict=True
    )
    return segments(rows, "label").assign(
        video="v", score=rng.choice([0.2, 0.4, 0.6, 0.8], count)
    )  # ties, equal segments and such of no length


@given(tables(), tables())
def test_right_is_what_map_counts(detections, truth):
    """Precision at each rank follows from the hits; so equal average precision means equal hits."""
    words = np.array(verdicts(detections, truth).words)
    result = detection_map(truth.drop(columns="score"), detections, [0.5])
    for place, name in enumerate(result.classes):
        mine = (detections["label"] == name).to_numpy()
        order = np.argsort(-detections["score"].to_numpy()[mine], kind="stable")
        hits = (words[mine] == "right")[order]
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        best_after = np.maximum.accumulate(precision[::-1])[::-1]
        expected = best_after[hits].sum() / (truth["label"] == name).sum()
        assert result.ap[place, 0] == pytest.approx(expected)


@given(tables(), tables(), st.sampled_from([0.3, 0.5, 0.7]))
def test_a_cut_changes_no_verdict_above_it(detections, truth, cut):
    whole, above = verdicts(detections, truth), (detections["score"] >= cut).to_numpy()
    part = verdicts(detections[above], truth)
    assert part.words == tuple(np.array(whole.words)[above])
    assert np.array_equal(whole.found_by >= cut, ~np.isnan(part.found_by))
