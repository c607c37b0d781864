"""Which unit is guessed: the one that makes times fit, over many videos of other lengths and rates."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.units import guess_unit, suspected_unit

RNG = np.random.default_rng(0)
LENGTHS = RNG.uniform(20, 300, 40)
STARTS = np.sort(RNG.uniform(0, 0.9, 40)) * LENGTHS
ENDS = STARTS + RNG.uniform(0.02, 1, 40) * (LENGTHS - STARTS)


def guessed(factor, rate, *, rounded=True, lengths=LENGTHS):
    starts, ends = (times * factor for times in (STARTS, ENDS))
    if rounded:
        starts, ends = np.round(starts), np.round(ends)
    rates = np.broadcast_to(np.asarray(rate, float), lengths.shape)
    return guess_unit(starts, ends, lengths, rates)


@pytest.mark.parametrize("rate", [10, 15, 24, 25, 29.97, 30, 50, 59.94])
def test_frames_at_the_videos_own_rate(rate):
    assert guessed(rate, rate) == f"frames at {rate:g} per second"


@pytest.mark.parametrize("rate", [15, 24, 25, 30, 50, 60])
def test_frames_at_another_rate(rate):
    assert f"{rate}" in guessed(rate, 10)
    assert guessed(rate, 0).startswith(f"frames at {rate}")  # where no rate is known


def test_frames_at_a_lower_rate_than_the_videos_are_told_with_the_videos_own():
    assert guessed(15, 30) == "frames at 15 or 30 per second"


def test_videos_of_several_rates():
    rates = np.where(np.arange(40) % 2, 25.0, 30.0)
    ends = np.round(ENDS * rates)
    assert (
        guess_unit(np.round(STARTS * rates), ends, LENGTHS, rates)
        == "frames at each video's own rate"
    )


@pytest.mark.parametrize("rounded", [True, False])
def test_milliseconds(rounded):
    assert guessed(1000, 30, rounded=rounded) == "milliseconds"


@pytest.mark.parametrize("rounded", [True, False])
def test_smaller_units(rounded):
    assert guessed(1e6, 30, rounded=rounded) == "microseconds"
    assert guessed(1e9, 0, rounded=rounded) == "nanoseconds"


def test_clocks_of_minutes_read_as_hours():
    starts, ends = np.floor(STARTS) * 60, np.floor(ENDS) * 60
    said = guess_unit(starts, ends, LENGTHS, np.full(40, 60.0))
    assert said == "mm:ss that a spreadsheet saved as hh:mm:ss"
    few = [values[:4] for values in (starts, ends, LENGTHS, np.full(40, 60.0))]
    assert "frames" in guess_unit(*few)  # so few may be such frames by chance


def test_percent():
    starts, ends = 100 * STARTS / LENGTHS, 100 * ENDS / LENGTHS
    assert guess_unit(starts, ends, LENGTHS, np.full(40, 30.0)) == "percent of the video"


def test_times_that_fit_in_no_unit_are_not_guessed():
    lengths = LENGTHS.copy()
    lengths[::2] = 0.01
    assert guessed(30, 30, lengths=lengths) is None
    assert guessed(30.5, 30, rounded=False) is None  # no whole numbers: no frames


def test_a_few_wrong_rows_do_not_hide_the_unit():
    starts, ends = np.round(STARTS * 25), np.round(ENDS * 25)
    many = [np.tile(values, 5) for values in (starts, ends, LENGTHS, np.full(40, 25.0))]
    many[1][0] *= 100
    assert guess_unit(*many) == "frames at 25 per second"


def test_fractions_and_minutes_lie_at_the_beginning():
    assert "fractions" in suspected_unit(ENDS / LENGTHS, LENGTHS)
    assert "minutes" in suspected_unit(ENDS / 60, LENGTHS)
    assert suspected_unit(ENDS, LENGTHS) is None
    assert suspected_unit(ENDS[:3] / 60, LENGTHS[:3]) is None  # so few may well be there
