"""Detections in the form that later stages read: best first in each video, with significant digits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.detection_tables import FOUND, tables

from evaluation import detection_map
from pipeline.results.classification.fusing import presented
from pipeline.results.tables import read_given, write_table


@pytest.mark.parametrize("seed", range(4))
def test_the_figures_stay_and_the_order_is_the_score(seed, tmp_path):
    truth, found = tables(seed)
    rng = np.random.default_rng(seed)
    found["score"] = rng.random(len(found)).astype(np.float32) * rng.random(len(found))
    shown = presented(found)
    assert shown["video"].drop_duplicates().tolist() == found["video"].drop_duplicates().tolist()
    for _, rows in shown.groupby("video"):
        assert rows["score"].is_monotonic_decreasing
    tious = np.linspace(0.1, 0.9, 9)
    before, after = (100 * detection_map(truth, table, tious).map for table in (found, shown))
    np.testing.assert_allclose(after, before, atol=0.005)
    pd.testing.assert_frame_equal(presented(shown), shown, check_exact=True)
    write_table(tmp_path / "found.csv", shown)
    pd.testing.assert_frame_equal(read_given(tmp_path / "found.csv"), shown, check_exact=True)
    numbers = [row.split(",") for row in (tmp_path / "found.csv").read_text().splitlines()[1:]]
    assert max(len(row[1].partition(".")[2]) for row in numbers) <= 3
    assert max(len(row[4].lstrip("0.").partition("e")[0].replace(".", "")) for row in numbers) <= 7


def test_equal_scores_stay_in_their_order_and_short_segments_keep_their_length():
    rows = [
        ("v", 1.00004, 1.00034, "a", 0.5),
        ("v", 0, 2, "b", 0.5),
        ("v", 0, 1 / 3, "c", 2e-13 / 3),
    ]
    shown = presented(pd.DataFrame(rows, columns=FOUND))
    assert shown["label"].tolist() == ["a", "b", "c"]
    assert shown.iloc[0][["start", "end"]].tolist() == [1.00004, 1.00034]
    assert shown.iloc[2][["end", "score"]].tolist() == [0.333, 6.666667e-14]


def test_no_detection_is_a_table():
    shown = presented(pd.DataFrame({name: [] for name in FOUND}))
    assert list(shown.columns) == FOUND and not len(shown)
