"""What comes of the files: dirty rows are counted, subsets are named, every format has its reader."""

from __future__ import annotations

from typing import get_args

import pytest
from helpers.activitynet_files import entry, write_json

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data import annotations
from pipeline.data.annotations import activitynet, training_rows
from pipeline.data.annotations.dataset import Inputs
from pipeline.data.annotations.formats import AUTO, FORMATS, read_format
from pipeline.errors import UserError


def test_dirty_rows_are_counted_not_hidden(tmp_path):
    rows = [
        (1, 2, "a"),
        (1, 2, "a"),
        (3, 3, "a"),
        (5, 4, "a"),
        (9, 12, "a"),
        (11, 12, "a"),
        (2, 6, "b"),
    ]
    dataset = activitynet.read(Inputs([write_json(tmp_path / "a.json", {"v": entry(rows)})]))
    kept, counts = training_rows(dataset, "training")
    assert kept[["start", "end"]].values.tolist() == [[1, 2], [9, 10], [2, 6]]
    assert sorted(counts.values()) == [1, 1, 1, 2]
    assert not any("overlap" in reason for reason in counts)


def test_overlaps_and_other_subsets_are_counted(tmp_path):
    rows = [(0, 9, "a"), (1, 2, "a"), (3, 4, "a"), (9, 10, "b")]
    path = write_json(
        tmp_path / "a.json",
        {"v": entry(rows), "w": entry([(0, 1, "b")], "validation"), "x": entry([], "testing")},
    )
    settings = DatasetSettings(name="x", format="activitynet", annotations=path, videos=tmp_path)
    dataset = annotations.load_annotations(settings)
    kept, counts = training_rows(dataset, "training")
    assert len(kept) == 4 and counts["overlap another of their video, kept"] == 3
    assert dataset.notes["videos of subset 'testing', not used"] == 1
    assert len(dataset.rows("training")) == len(rows)


def test_a_subset_that_is_not_there_is_named(tmp_path):
    path = write_json(tmp_path / "a.json", {"one": entry([(1, 2, "b")])})
    settings = DatasetSettings(name="x", format="activitynet", annotations=path, videos=tmp_path)
    with pytest.raises(UserError, match="validation"):
        annotations.load_annotations(settings)


def test_every_format_has_its_reader():
    assert {AUTO, *FORMATS} == set(get_args(DatasetSettings.model_fields["format"].annotation))


@pytest.mark.parametrize("kind", ["activitynet", "kinetics", "something"])
def test_one_class_file_is_taken(tmp_path, kind):
    with pytest.raises(UserError, match="give one file with a class name a line"):
        read_format(kind, Inputs([tmp_path / "a"], classes=[tmp_path / "b", tmp_path / "c"]))


def test_auto_leaves_forms_with_keys_of_their_own_to_be_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,youtube_id,time_start,time_end\nrun,a,1,11\n")
    settings = DatasetSettings(name="x", format="auto", annotations=path, videos=tmp_path)
    with pytest.raises(UserError, match="dataset.format: kinetics"):
        annotations.load_annotations(settings)
