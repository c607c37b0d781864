"""Turns of two forms of the same work, and what is measured of them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measure import Form, Work, absolute_difference, compare, measured_run


def test_turns_are_paired_and_peaks_measured():
    calls = []

    def form(name, size):
        def run():
            calls.append(name)
            return np.ones(size)

        return Form(name, run, count=2)

    size = 4_000_000
    work = Work("s", "w", absolute_difference, "of one")
    baseline, ours = form("baseline", size), form("ours", size)
    (row,) = compare(work, baseline, [ours], runs=3)
    assert calls == ["baseline"] * 2 + ["ours"] * 2 + ["baseline", "ours"] * 3
    assert row.runs == (3, 3) and row.difference == 0 and row.ratio > 0
    calls.clear()
    once = Form("baseline", baseline.run, once=True)
    (row,) = compare(work, once, [ours], runs=2)
    assert calls == ["baseline", "ours", "ours", "ours", "ours"] and row.runs == (1, 2)
    _, peak, _ = measured_run(lambda: np.ones(size).sum(), lambda: 0.0)
    if peak is not None:  # no such counter outside Linux
        assert 0.9 * 8 * size < peak < 1.5 * 8 * size


def test_results_of_other_shapes_are_no_match():
    with pytest.raises(ValueError, match="shapes"):
        absolute_difference(np.ones(3), np.ones((3, 1)))
