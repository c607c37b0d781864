"""The analyses of a report: they agree with one another, and with the evaluator."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from checks.made_up import IOU, made_up_tables
from evaluation.detection import detection_map
from evaluation.operating import operating_points
from pipeline.tools.report.analysed import WORDS, analysed
from pipeline.tools.report.reasons import advice_of

TRUTH, FOUND, _ = made_up_tables([f"v{k}" for k in range(8)])


@pytest.fixture(scope="module")
def result():
    return analysed(TRUTH, FOUND, IOU)


def test_classes_have_the_evaluators_precision(result):
    scored = detection_map(TRUTH, FOUND, [0.5, *IOU])
    rows = {row.label: row for row in result.found.classes}
    assert set(rows) == set(scored.classes)
    for place, label in enumerate(scored.classes):
        assert rows[label].ap == pytest.approx(100 * scored.ap[place, 0])
        assert rows[label].average == pytest.approx(100 * scored.ap[place, 1:].mean())
        recall, precision = rows[label].curve
        assert np.sum(np.diff(recall) * precision[1:]) / 100 == pytest.approx(rows[label].ap)
    assert [row.ap for row in result.found.classes] == sorted(
        row.ap for row in result.found.classes
    )


def test_words_counts_and_truths_agree(result):
    right = result.detections["word"] == "right"
    assert right.sum() == result.truth["found_by"].notna().sum()
    assert sorted(result.detections["score"][right]) == sorted(result.truth["found_by"].dropna())
    counts = {bar.name: bar.count for bar in result.found.errors}
    for word in WORDS[:5]:
        assert counts[word] == (result.detections["word"] == word).sum()
    assert counts["all false positives"] == (~right).sum()
    assert counts["all missed"] == result.truth["found_by"].isna().sum()
    points = [bar.points for bar in result.found.errors if not bar.sum]
    assert points == sorted(points, reverse=True) and len(points) == 6


def test_the_threshold_is_the_best_f1s(result):
    best = operating_points(TRUTH, FOUND).best
    shown = result.detections["score"] >= result.found.threshold
    right = (shown & (result.detections["word"] == "right")).sum()
    assert 2 * right / (shown.sum() + len(TRUTH)) == pytest.approx(best.f1)
    assert result.found.operating.f1[result.found.operating.best] == pytest.approx(100 * best.f1)
    assert max(result.found.operating.f1) == pytest.approx(100 * best.f1)


def test_confusion_counts_what_lies_there(result):
    assert result.found.confusion.counts.sum() <= len(TRUTH)
    confused = {row.label: row.confused for row in result.found.classes}
    for place, label in enumerate(result.found.confusion.labels):
        others = result.found.confusion.counts[place].copy()
        others[place] = 0
        assert confused[label] is None or confused[label][1] >= others.max()


def test_the_most_confused_of_many_classes_are_shown():
    truth, found, _ = made_up_tables(
        [f"v{k}" for k in range(20)], classes=tuple(f"c{k:03d}" for k in range(60))
    )
    shown = analysed(truth, found, IOU).found.confusion
    assert len(shown.labels) == 24 and shown.left_out == truth["label"].nunique() - 24


def test_nothing_found_is_all_missed():
    result = analysed(TRUTH, FOUND.iloc[:0], IOU)
    assert result.found.operating is None and result.found.threshold == 0.0
    assert {row.ap for row in result.found.classes} == {0.0} and all(
        row.score is None for row in result.found.classes
    )
    assert next(bar for bar in result.found.errors if bar.name == "missed").count == len(TRUTH)
    assert advice_of(result.found)[0].startswith("missed costs")


def test_all_right_needs_no_advice():
    result = analysed(TRUTH, TRUTH.assign(score=np.linspace(0.5, 1, len(TRUTH))), IOU)
    assert (
        set(result.detections["word"]) == {"right"}
        and "no error costs much" in advice_of(result.found)[0]
    )


def test_classes_without_truth_and_ignored_segments_are_not_counted():
    truth = pd.DataFrame([("v", 0.0, 5.0, "a")], columns=["video", "start", "end", "label"])
    found = pd.DataFrame(
        [("v", 0.0, 5.0, "a", 0.9), ("v", 10.0, 12.0, "a", 0.8), ("v", 0.0, 5.0, "z", 0.7)],
        columns=["video", "start", "end", "label", "score"],
    )
    ignored = pd.DataFrame([("v", 10.0, 13.0)], columns=["video", "start", "end"])
    result = analysed(truth, found, IOU, ignored=ignored)
    assert list(result.detections["word"]) == ["right", "not counted", "not counted"]
