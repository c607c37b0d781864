"""Which windows hold which segments, and what is left out and counted."""

from __future__ import annotations

import numpy as np
from helpers.one_video import config, rows

from pipeline.data.windows.holding import training_windows


def test_segments_are_cut_at_the_decoded_end_and_those_in_no_window_counted(store):
    # Windows of 20 positions of 0.267 s, one every 10: segments of up to 2.67 s always fit.
    settings = config(temporal_scale=20, duration_scale=10, window_step=10)
    segments = rows((1.0, 3.0), (49.0, 50.4), (50.1, 51.0), (10.0, 20.0))
    found, counts = training_windows(store, settings, segments, ["a"])
    assert counts == {
        "end after the decoded video's end, cut there": 2,
        "begin after the decoded video's end, left out": 1,
        "fit into no window, left out": 1,
    }
    held = np.unique(np.concatenate([window.segments for window in found]), axis=0)
    np.testing.assert_array_equal(held, [[1.0, 3.0], [49.0, 50.0]])
