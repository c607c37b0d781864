"""The picture of a run: which detections are drawn."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from matplotlib.figure import Figure

from pipeline.tools.plots import _words, non_overlapping


def table(*rows: tuple[float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["start", "end", "score"])


def test_the_best_that_do_not_overlap_are_drawn():
    found = table((0.0, 2.0, 0.5), (1.0, 3.0, 0.9), (3.0, 4.0, 0.6), (2.5, 3.5, 0.8))
    drawn = non_overlapping(found, min_score=0.0)
    assert drawn["score"].tolist() == [0.9, 0.6], "one that touches another does not overlap it"


def test_low_scores_and_empty_tables_give_nothing():
    found = table((0.0, 1.0, 1.0), (5.0, 6.0, 0.3), (7.0, 8.0, 0.29))
    assert non_overlapping(found, min_score=0.3)["score"].tolist() == [1.0, 0.3]
    assert non_overlapping(found.iloc[:0], min_score=0.3).empty


@pytest.mark.parametrize("name", ["$\\frac$", "$a", "a$b$c", "\x1b[31m", "a\nb", "\u202e", "plain"])
def test_names_are_drawn_as_they_are(name):
    """A dollar begins no formula, which need not be one; nothing begins a line."""
    figure = Figure()
    drawn = figure.text(0, 0, _words(name))
    figure.savefig(io.BytesIO())
    assert drawn.get_text().replace(r"\$", "$").isprintable()
    assert (name != "plain") or drawn.get_text() == name
