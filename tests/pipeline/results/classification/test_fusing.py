"""Where in a proposal its classes are looked up."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.results.classification.fusing import spread_positions

START, END = np.array([0.0, 2.0, 10.0, 7.0]), np.array([6.0, 3.0, 14.0, 7.0])
SPAN = 2.0


def test_middle_is_the_centres_of_equal_parts():
    times = spread_positions(START, END, 3)
    assert times[0].tolist() == [1.0, 3.0, 5.0] and times[3].tolist() == [7.0] * 3
    assert np.array_equal(times, spread_positions(START, END, 3, spread="middle", span=SPAN))


def test_over_is_from_the_start_to_the_end():
    times = spread_positions(START, END, 5, spread="over", span=SPAN)
    assert np.array_equal(times[:, 0], START) and np.array_equal(times[:, -1], END)
    assert np.allclose(np.diff(times, axis=1), ((END - START) / 4)[:, None])


def test_inside_keeps_the_clips_inside_or_at_the_middle():
    times = spread_positions(START, END, 4, spread="inside", span=SPAN)
    long = END - START >= SPAN
    assert np.allclose(times[long, 0] - SPAN / 2, START[long])
    assert np.allclose(times[long, -1] + SPAN / 2, END[long])
    assert np.allclose(np.diff(times[long], axis=1), ((END - START - SPAN) / 3)[long, None])
    assert np.allclose(times[~long], ((START + END) / 2)[~long, None])


@pytest.mark.parametrize("spread", ["middle", "over", "inside"])
def test_one_position_is_the_middle_and_none_is_outside(spread):
    one = spread_positions(START, END, 1, spread=spread, span=SPAN)
    assert np.allclose(one[:, 0], (START + END) / 2)
    many = spread_positions(START, END, 7, spread=spread, span=SPAN)
    assert (many >= START[:, None]).all() and (many <= END[:, None] + 1e-12).all()
    assert spread_positions(START[:0], END[:0], 3, spread=spread, span=SPAN).shape == (0, 3)
