"""Oracles: what is corrected is right, the rest stays, and each is scored as detections are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.detection_tables import TRUTH, tables

from evaluation import (
    average_recall,
    nearest_proposals,
    stage_losses,
    true_segments,
    with_segments,
    with_true_classes,
)
from evaluation.errors import TableError

PROPOSED = ["video", "start", "end", "score"]
SEGMENTS = pd.DataFrame(
    [("v", 0, 10, "a"), ("v", 20, 30, "b"), ("v", 20, 30, "c"), ("w", 5, 5, "a")], columns=TRUTH
)


def test_true_classes_are_those_of_the_nearest_truth():
    proposals = pd.DataFrame(
        [("v", 1, 9, 0.9), ("v", 9, 24, 0.8), ("v", 12, 14, 0.7), ("v", 17, 18, 0.6), ("x", 0, 10, 0.5)],
        columns=PROPOSED,
    )  # fmt: skip
    found = with_true_classes(proposals, SEGMENTS)
    rows = [(row.start, row.label, row.score) for row in found.itertuples()]
    assert rows == [
        (1, "a", 0.9), (9, "b", 0.8), (9, "c", 0.8), (12, "a", 0.7), (17, "b", 0.6), (17, "c", 0.6),
    ]  # fmt: skip


def test_verbs_and_nouns_come_with_the_class():
    truth = SEGMENTS[:2].assign(label=["3,1", "4,2"], verb=[3, 4], noun=[1, 2])
    found = with_true_classes(pd.DataFrame([("v", 21, 29, 0.5)], columns=PROPOSED), truth)
    assert found.to_dict("records") == [
        {"video": "v", "start": 21, "end": 29, "label": "4,2", "score": 0.5, "verb": 4, "noun": 2}
    ]


def test_true_segments_stand_once_and_last():
    assert true_segments(SEGMENTS).to_numpy().tolist() == [["v", 0, 10, 1.0], ["v", 20, 30, 1.0]]


def test_segments_are_put_in_place_of_the_true_ones():
    found = with_segments(SEGMENTS[:3], np.array([[0, 9], [np.nan, np.nan], [20, 31]]))
    assert found[["start", "end", "label"]].to_numpy().tolist() == [[0, 9, "a"], [20, 31, "c"]]
    with pytest.raises(TableError, match="nearest"):
        with_segments(SEGMENTS, np.zeros((1, 2)))


@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_proposals_lose_no_recall_and_all_else(seed):
    truth, found = tables(seed)
    proposals = found[PROPOSED]
    chosen = nearest_proposals(truth, proposals)
    assert len(chosen) <= len(truth) and (chosen["score"] == 1).all()
    tious, many = [0.3, 0.5, 0.7], [len(found)]
    before = average_recall(truth, proposals, tious, many).average
    assert average_recall(truth, chosen, tious, many).average == pytest.approx(before)


def test_losses_are_scored_alike():
    truth, found = tables(0)
    losses = stage_losses(truth, found, {"same": found, "truth": truth.assign(score=1.0)}, [0.5])
    assert losses["same"].gain == 0
    assert losses["truth"].average == 1 and losses["truth"].gain == 1 - losses["same"].average


def test_no_proposal_is_a_table():
    empty = pd.DataFrame(columns=PROPOSED).astype({"start": float, "end": float, "score": float})
    assert len(with_true_classes(empty, SEGMENTS)) == 0 == len(nearest_proposals(SEGMENTS, empty))
