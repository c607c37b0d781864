"""Kinds of errors against the rules asked one detection at a time, and fixes against tables with the errors fixed."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from helpers.detection_tables import FOUND, TRUTH, tables

from evaluation import KINDS, detection_map, error_types
from evaluation.error_fixes import FALSE_NEGATIVES, FALSE_POSITIVES
from evaluation.errors import TableError
from evaluation.overlap import temporal_iou


def slow_kinds(truth, found, tiou, background):
    """TIDE's rules, one detection after the other."""
    taken: set[int] = set()
    kind, about = {}, {}
    for row in found.sort_values("score", ascending=False).itertuples():
        if row.label not in set(truth["label"]):
            kind[row.Index] = -2
            continue
        there = truth[truth["video"] == row.video]
        overlap = pd.Series(
            temporal_iou(row.start, row.end, there["start"].to_numpy(), there["end"].to_numpy()),
            index=there.index, dtype=float,
        )  # fmt: skip
        same = there["label"] == row.label
        own, other = overlap[same], overlap[~same]
        nearest_own, nearest_other = own.max() if len(own) else 0, other.max() if len(other) else 0
        free = own[~own.index.isin(taken) & (own >= tiou)]
        if len(free):
            kind[row.Index], about[row.Index] = -1, free.idxmax()
            taken.add(free.idxmax())
        elif background <= nearest_own < tiou:
            kind[row.Index], about[row.Index] = 1, own.idxmax()
        elif nearest_other >= tiou:
            kind[row.Index], about[row.Index] = 0, other.idxmax()
        elif nearest_own >= tiou:
            kind[row.Index], about[row.Index] = 4, own.idxmax()
        elif max(nearest_own, nearest_other) < background:
            kind[row.Index] = 3
        else:
            kind[row.Index], about[row.Index] = 2, other.idxmax()
    return kind, about, taken


@pytest.mark.parametrize("seed", range(8))
def test_kinds_are_those_of_the_rules(seed):
    truth, found = tables(seed)
    told = error_types(truth, found)
    kind, about, taken = slow_kinds(truth, found, 0.5, 0.1)
    assert dict(enumerate(told.kind)) == kind
    assert {row: truth_row for row, truth_row in enumerate(told.about) if truth_row >= 0} == about
    assert set(np.flatnonzero(told.truth_kind == -1)) == taken
    explained = {about[row] for row in about if kind[row] in (0, 1)} | taken
    assert told.counts[5] == len(truth) - len(explained)
    assert told.counts.tolist()[:5] == [sum(k == n for k in kind.values()) for n in range(5)]
    assert told.right == len(taken)
    assert set(np.unique(told.kind)) >= {-2, -1, 0, 1, 2, 3, 4}, "the tables hold every kind"


@pytest.mark.parametrize("seed", range(8))
def test_points_are_those_of_tables_in_which_the_errors_are_fixed(seed):
    truth, found = tables(seed)
    told = error_types(truth, found)
    base = detection_map(truth, found, [0.5]).average
    assert told.map == pytest.approx(base, abs=1e-12)
    for number in (2, 3, 4):
        fixed = found[told.kind != number]
        gain = detection_map(truth, fixed, [0.5]).average - base
        assert told.gains[number] == pytest.approx(gain, abs=1e-12), KINDS[number]
    for number in (0, 1):
        wrong = found[told.kind == number].assign(about=told.about[told.kind == number])
        open_ones = wrong[told.truth_kind[wrong["about"]] != -1]
        best = open_ones.sort_values("score", ascending=False).drop_duplicates("about")
        fixed = truth.loc[best["about"], TRUTH].assign(score=best["score"].to_numpy())
        table = pd.concat([found[told.kind != number], fixed])
        gain = detection_map(truth, table, [0.5]).average - base
        assert told.gains[number] == pytest.approx(gain, abs=1e-12), KINDS[number]
    rights = detection_map(truth, found[told.kind == -1], [0.5]).average
    assert told.false_positives == pytest.approx(rights - base, abs=1e-12)
    for gone, gain in (
        (told.truth_kind == 5, told.gains[5]),
        (told.truth_kind != -1, told.false_negatives),
    ):
        kept = truth[~gone]
        one_by_one = []
        for label in sorted(truth["label"].unique()):
            own, theirs = kept[kept["label"] == label], found[found["label"] == label]
            one_by_one.append(detection_map(own, theirs, [0.5]).average if len(own) else 1.0)
        assert gain == pytest.approx(np.mean(one_by_one) - base, abs=1e-12)
    assert FALSE_POSITIVES == len(KINDS) and FALSE_NEGATIVES == len(KINDS) + 1


@pytest.mark.parametrize("seed", range(3))
def test_groups_hold_all_errors_once(seed):
    truth, found = tables(seed)
    told = error_types(truth, found)
    for groups in (told.by_class, told.by_length, told.by_instances):
        assert groups.segments.sum() == len(truth) and groups.found.sum() == told.right
        np.testing.assert_array_equal(groups.counts.sum(axis=0), told.counts)
    np.testing.assert_allclose(told.by_class.gains.mean(axis=0), told.gains, atol=1e-12)
    one = error_types(truth, found, length_edges=(100, 200, 300, 400)).by_length
    np.testing.assert_allclose(one.gains[0], told.gains, atol=1e-12)
    assert not one.segments[1:].any()
    lengths = (truth["end"] - truth["start"]).to_numpy()
    assert told.by_length.segments[0] == (lengths <= told.by_length.edges[0]).sum()


def test_perfect_detections_and_none():
    truth, _ = tables(0)
    perfect = error_types(truth, truth.assign(score=1.0))
    assert perfect.map == 1 and not perfect.counts.any() and not perfect.gains.any()
    nothing = error_types(
        truth, pd.DataFrame(columns=FOUND).astype({"start": float, "end": float, "score": float})
    )
    assert nothing.map == 0 and nothing.counts.tolist() == [0, 0, 0, 0, 0, len(truth)]
    assert nothing.gains.tolist() == [0, 0, 0, 0, 0, 1]


def test_ignored_segments_excuse_a_detection():
    truth = pd.DataFrame([("v", 0, 10, "a")], columns=TRUTH)
    found = pd.DataFrame([("v", 0, 10, "a", 0.9), ("v", 20, 30, "a", 0.95)], columns=FOUND)
    ignored = pd.DataFrame([("v", 25, 40)], columns=["video", "start", "end"])
    assert error_types(truth, found).counts[3] == 1
    excused = error_types(truth, found, ignored=ignored)
    assert excused.map == 1 and not excused.counts.any() and excused.kind.tolist() == [-1, -2]


@pytest.mark.parametrize(
    ("more", "said"),
    [({"background": 0.6}, "background"), ({"background": 0}, "background"), ({"tiou": 0}, "background"),
     ({"length_edges": (1, 2)}, "length_edges"), ({"length_edges": (1, 2, 2, 3)}, "length_edges")],
)  # fmt: skip
def test_what_cannot_be_is_refused(more, said):
    truth, found = tables(0)
    with pytest.raises(TableError, match=said):
        error_types(truth, found, **more)


def test_published_detections_of_thumos14(real_data):
    """ActionFormer's on THUMOS14, tIoU 0.5: the counts that docs/how-to/why.md states."""
    database = json.loads(real_data("thumos14", "thumos14.json").read_text())["database"]
    rows = [
        (video, *one["segment"], one["label"])
        for video, entry in database.items()
        if entry["subset"] == "Test"
        for one in entry["annotations"]
    ]
    truth = pd.DataFrame(rows, columns=TRUTH)
    with gzip.open(real_data("thumos14", "thumos14_ActionFormer_detections.json.gz")) as file:
        results = json.load(file)["results"]
    rows = [
        (video, *one["segment"], one["label"], one["score"])
        for video in results
        for one in results[video]
    ]
    told = error_types(truth, pd.DataFrame(rows, columns=FOUND))
    assert 100 * told.map == pytest.approx(70.95, abs=0.01)
    assert (told.right, told.counted) == (3151, 42400)
    assert told.counts.tolist() == [9024, 5930, 5696, 16077, 2522, 72]
    np.testing.assert_allclose(100 * told.gains, [2.16, 9.43, 0.23, 4.68, 0.41, 1.26], atol=0.01)
