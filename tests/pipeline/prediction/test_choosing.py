"""Which detections are wanted: classes by their names, a threshold, the best so many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UsageError
from pipeline.prediction.choosing import Choice, choose, require_classes, why_none
from pipeline.prediction.found import Curves, Prediction

ONE = (("pour", "stir", "cut, fine"),)
TWO = (("take", "put", "put in"), ("cup", "in cup", "knife"))


def found(rows: list[tuple], columns: list[str]) -> Prediction:
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "video", "v")
    table.insert(1, "start", np.arange(len(rows), dtype=float))
    table.insert(2, "end", np.arange(len(rows)) + 1.5)
    curves = Curves(np.zeros(0), np.zeros(0), np.zeros(0))
    return Prediction("v", Path("v.mp4"), 9.0, table, table, curves, "m", "d")


SINGLE = [("pour", 0.9), ("stir", 0.5), ("cut, fine", 0.5), ("pour", 0.1)]
PAIRS = [("0,0", 0.9, 0, 0), ("1,0", 0.8, 1, 0), ("1,1", 0.7, 1, 1), ("2,0", 0.6, 2, 0)]


def labels(choice: Choice, heads=ONE) -> list[str]:
    columns = ["label", "score"] if heads is ONE else ["label", "score", "verb", "noun"]
    rows = SINGLE if heads is ONE else PAIRS
    return choose(found(rows, columns), choice, heads).detections["label"].tolist()


def test_all_are_wanted_unless_said():
    assert labels(Choice()) == [row[0] for row in SINGLE]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (Choice(threshold=0.5), ["pour", "stir", "cut, fine"]),
        (Choice(threshold=0.50001), ["pour"]),
        (Choice(top=2), ["pour", "stir"]),
        (Choice(classes=("pour,stir",)), ["pour", "stir", "pour"]),
        (Choice(classes=("cut, fine",)), ["cut, fine"]),
        (Choice(classes=("stir", " pour ")), ["pour", "stir", "pour"]),
        (Choice(threshold=0.3, top=1, classes=("stir",)), ["stir"]),
        (Choice(threshold=1.0), []),
    ],
)
def test_of_one_head(choice, wanted):
    assert labels(choice) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("put", ["1,0", "1,1"]),
        ("cup", ["0,0", "1,0", "2,0"]),
        ("take,knife", ["0,0"]),
        ("1,1", ["1,1"]),
        ("put in cup", ["1,1", "2,0"]),  # either way to read it
        ("take cup,put in", ["0,0", "2,0"]),
    ],
)
def test_of_verbs_and_nouns(name, wanted):
    assert labels(Choice(classes=(name,)), TWO) == wanted


@pytest.mark.parametrize(
    ("heads", "name", "said"),
    [
        (ONE, "poor", "class 'poor': the model has no such class (did you mean 'pour'?)"),
        (ONE, "pour,xyzzy", "class 'xyzzy': the model has no such class (it has 3: pour, stir, cut, fine)"),
        (TWO, "9,9", "class '9'"),
        (ONE, "", "class ''"),
    ],
)  # fmt: skip
def test_a_class_it_does_not_have(heads, name, said):
    with pytest.raises(UsageError) as caught:
        require_classes(heads, [name])
    assert said in caught.value.message


@pytest.mark.parametrize("values", [{"threshold": 1.5}, {"threshold": float("nan")}, {"threshold": "0.3"}, {"top": 0}, {"top": 2.5}, {"top": "5"}])  # fmt: skip
def test_what_is_no_threshold_and_no_number(values):
    with pytest.raises(UsageError):
        Choice(**values)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(), None),
        (Choice(threshold=0.9), None),
        (Choice(threshold=0.95), "video v: no detection reaches the threshold of 0.95; the best of 4 has a score of 0.9"),
        (Choice(threshold=0.7, classes=("stir",)), "video v: no detection reaches the threshold of 0.7; the best of 1 has a score of 0.5"),
    ],
)  # fmt: skip
def test_why_none_is_left(choice, said):
    assert why_none(found(SINGLE, ["label", "score"]), choice, ONE) == said


def test_why_none_is_left_of_a_class_that_was_not_found_and_where_nothing_was_found():
    some, nothing = (found(rows, ["label", "score"]) for rows in (SINGLE[:1], []))
    wanted = Choice(threshold=0.5, classes=("stir",))
    assert why_none(some, wanted, ONE) == "video v: none of its 1 detections is of stir"
    assert why_none(nothing, wanted, ONE) is None
