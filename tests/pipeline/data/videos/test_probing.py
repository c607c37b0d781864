"""How many processes look at videos."""

from __future__ import annotations

from pipeline.data.videos.probing import worth_starting


def test_a_process_is_started_where_it_saves_more_than_it_costs():
    """One is, for a single video too: a file may kill it. Without workers none is."""
    found = [worth_starting(4, videos) for videos in (1, 15, 16, 40, 1000)]
    assert found == [1, 1, 2, 4, 4] and worth_starting(0, 1000) == 0
