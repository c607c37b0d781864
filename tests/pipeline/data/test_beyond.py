"""What lies behind an end: counted against the file, else the annotation; whole files and rounding never do."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.paths import ROOT

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data.annotations import Dataset, load_annotations, training_rows
from pipeline.data.beyond import beyond_end, contradictions, require_within
from pipeline.data.videos.lengths import Measured
from pipeline.errors import UserError

SHARED = Path(os.environ.get("TADA_LOC_DATA", ROOT.parent / "shared/data"))


def dataset(rows, durations=()):
    told = dict(durations)
    table = pd.DataFrame(rows, columns=["video", "start", "end"])
    table = table.assign(subset="training", label="x")
    videos = sorted(set(table["video"]))
    frame = pd.DataFrame({"video": videos, "subset": "training"})
    frame["duration"] = [told.get(video, np.nan) for video in videos]
    return Dataset(table, frame.assign(fps=np.nan), (("x",),), Counter())


ROWS = [("a", 0, 2), ("a", 8, 10.05), ("a", 8, 10.2), ("a", 10, 10.05), ("a", 12, 20), ("b", 5, 50)]


def test_late_and_beginning_behind_are_told_apart():
    found = beyond_end(dataset(ROWS), "training", {"a": Measured(10.0)})
    assert (found.count, len(found.late), found.begin) == (5, 3, 2)
    assert found.share == pytest.approx(0.6)
    assert found.examples()[0] == "a of 10.00 s: 8 to 10.2"
    assert beyond_end(dataset(ROWS), "training", {}).share == 0  # of no video the length is known


def test_the_file_comes_before_the_annotated_duration_and_a_skipped_video_counts_for_nothing():
    told = dataset(ROWS, {"a": 30.0, "b": 20.0})
    assert len(beyond_end(told, "training", {}).late) == 1
    assert len(beyond_end(told, "training", {"a": Measured(10.0)}).late) == 4
    assert len(beyond_end(told, "training", {"a": Measured(10.0)}, {"a"}).late) == 1


def test_a_whole_file_and_a_clip_to_spare():
    rows = [("a", 0, np.inf), ("b", 9, 10.9)]
    lengths = {"a": Measured(10.0), "b": Measured(10.0, slack=1.0)}
    assert not len(beyond_end(dataset(rows), "training", lengths).late)
    kept, counts = training_rows(dataset(rows), "training", {"a": 10.0, "b": 10.0})
    assert kept["end"].tolist() == [np.inf, 10.0] and sum(counts.values()) == 1


def test_training_cuts_where_the_file_ends_and_leaves_rounding_alone():
    kept, counts = training_rows(dataset(ROWS), "training", {"a": 10.0})
    assert kept[["start", "end"]].to_numpy().tolist() == [[0, 2], [8, 10.05], [8, 10], [5, 50]]
    assert counts["begins after the video's end, left out"] == 2
    assert counts["ends after the video's end, cut there"] == 1
    kept, _ = training_rows(dataset(ROWS, {"a": 9.0}), "training", {"a": 10.0})
    assert kept["end"].tolist() == [2, 9, 9, 50]  # the first of both


def test_asked_again_the_rows_are_the_same_and_the_callers_own():
    told = dataset(ROWS, {"a": 9.0})
    first, counts = training_rows(told, "training")
    expected, noted = first.copy(), dict(counts)
    first["end"], counts["more"] = 0.0, 1
    again, counts = training_rows(told, "training")
    pd.testing.assert_frame_equal(again, expected)
    assert counts == noted
    cut, _ = training_rows(told, "training", {"a": 5.0})
    assert cut["end"].max() != expected["end"].max() or len(cut) != len(expected)
    assert not len(training_rows(told, "validation")[0])


def test_contradictions_are_more_than_half_a_second_and_five_percent():
    told = dataset(ROWS, {"a": 10.4, "b": 60.0})
    assert contradictions(told, ["training"], {"a": Measured(10.0)}) == ((), 1)
    found, compared = contradictions(told, ["training"], {"a": Measured(8.0), "b": Measured(58.0)})
    assert (found, compared) == (("a of 8.00 s, annotated 10.40 s",), 2)


def test_too_many_are_refused_and_one_is_not_if_the_key_says_so():
    settings = {"name": "x", "format": "table", "annotations": "own.csv", "videos": "."}
    lengths = {"a": Measured(10.0), "b": Measured(60.0)}
    with pytest.raises(UserError, match=r"own\.csv: 3 of 6 training segments end after"):
        require_within(DatasetSettings(**settings), dataset(ROWS), ["training"], lengths)
    allowed = DatasetSettings(**settings, allow_beyond=0.5)
    (line,) = require_within(allowed, dataset(ROWS), ["training"], lengths)
    assert "cut there, or left out of training" in line


@pytest.mark.parametrize(
    ("format", "files", "subsets"),
    [
        ("activitynet", ["activitynet/activitynet_v1-3_validation_official_schema.json"], ("training", "validation")),
        ("activitynet", ["hacs/hacs_schema_derived_from_anet_val.json"], ("training", "validation")),
        ("activitynet", ["thumos14/thumos14.json"], ("Validation", "Test")),
        ("epic_kitchens", ["ek100/EPIC_100_validation.csv"], ("training", "validation")),
    ],
)  # fmt: skip
def test_real_data_sets_have_few(format, files, subsets):
    paths = [SHARED / file for file in files]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"{SHARED} is not there")
    more = {"video_info": SHARED / "ek100/EPIC_100_video_info.csv"} if "epic" in format else {}
    settings = DatasetSettings(
        name="real", format=format, annotations=tuple(paths), videos=Path("."),
        train_subset=subsets[0], eval_subset=subsets[1], **more,
    )  # fmt: skip
    found = load_annotations(settings)
    lines = require_within(settings, found, [s for s in subsets if len(found.rows(s))], {})
    assert len(lines) <= 2 and not any("warning" in line for line in lines)
