"""What is left out of a page is what nobody sees."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.timelines import segments
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pages.thinning import best_rows, opening_threshold, seconds, short, thinned


def test_the_best_rows_are_kept_best_first_and_equal_ones_in_their_order():
    table = pd.DataFrame({"score": [0.1, 0.9, 0.5, 0.9], "row": [0, 1, 2, 3]})
    assert best_rows(table, 3)["row"].tolist() == [1, 3, 2]
    assert best_rows(table)["row"].tolist() == [1, 3, 2, 0]
    assert len(best_rows(table.head(0))) == 0


def test_a_short_curve_is_kept_whole():
    assert thinned(np.arange(60.0), np.zeros(60), columns=30).tolist() == list(range(60))
    assert len(thinned(np.zeros(0), np.zeros(0))) == 0


@given(st.integers(0, 2**32 - 1), st.integers(50, 400))
def test_a_thinned_curve_has_the_extremes_of_each_column(seed, length):
    rng = np.random.default_rng(seed)
    times, values = np.sort(rng.uniform(0, 100, length)), rng.uniform(size=length)
    kept = thinned(times, values, columns=20)
    assert len(kept) <= 40 and (np.diff(kept) > 0).all()
    columns = np.searchsorted(np.linspace(times[0], times[-1], 21)[1:-1], times, side="left")
    for column in set(columns):
        inside = np.flatnonzero(columns == column)
        drawn = kept[np.isin(kept, inside)]
        assert values[drawn].max() == values[inside].max()
        assert values[drawn].min() == values[inside].min()


def test_positions_that_lie_uneven_leave_columns_empty():
    times = np.r_[np.linspace(0, 1, 500), 1000.0]
    assert thinned(times, np.sin(times * 20), columns=50)[-1] == 500


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0, 1, 0.9), (2, 3, 0.8), (4, 5, 0.5)], 0.5),  # all free
        ([(0, 1, 0.9), (2, 3, 0.8), (0, 1, 0.7), (2, 3, 0.6), (4, 5, 0.5)], 0.8),
        ([(0, 1, 0.9), (0, 1, 0.7), (2, 3, 0.6)], 0.6),  # equal: the lower score
        ([(0, 1, 0.9), (2, 3, 0.26)], 0.9),  # far below the best
        ([(0, 1, 0.003), (2, 3, 0.002)], 0.002),  # whatever scores are like
        ([(0, 2, 0.5)], 0.5),
        ([(0, 1, 0.0), (3, 4, 0.0)], 0.0),
        ([], 0.0),
    ],
)
def test_a_page_opens_with_about_the_best_that_do_not_overlap(rows, expected):
    assert opening_threshold(segments(rows, "score")) == expected


def test_numbers_are_short():
    assert seconds([1.23456789, 3600.0005]) == [1.235, 3600.001]
    assert short([0.123456, 1e-7 / 3, 0.0]) == [0.1235, 3.333e-8, 0.0]
