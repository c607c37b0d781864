"""Videos that are not part of a data set, and labels that are not a class of it."""

from __future__ import annotations

import json
import unicodedata

import pytest
from helpers.activitynet_files import entry, write_json

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data.annotations import load_annotations, training_rows
from pipeline.errors import UserError


def settings(path, **more):
    return DatasetSettings(name="d", format="activitynet", annotations=path, videos=path, **more)


DATABASE = {
    "a": entry([(1, 3, "run"), (4, 5, "Ambiguous")]),
    "b": entry([(1, 2, "jump")]),
    "c": entry([(1, 2, "run"), (6, 7, "Ambiguous")], "validation"),
    "d": entry([(6, 7, "Ambiguous")], "validation"),
}


def test_labels_to_ignore_are_no_class_and_are_not_trained_on(tmp_path):
    path = write_json(tmp_path / "a.json", DATABASE)
    plain = load_annotations(settings(path))
    assert plain.heads == (("Ambiguous", "jump", "run"),)
    dataset = load_annotations(settings(path), ["Ambiguous"])
    assert dataset.heads == (("jump", "run"),) and dataset.num_classes == 2
    assert training_rows(dataset, "training")[0]["label"].tolist() == ["run", "jump"]
    assert dataset.rows("validation")["label"].tolist() == ["run"]
    assert dataset.ignored_rows("validation")["video"].tolist() == ["c", "d"]
    # the reader keeps them, and a video of nothing else is one of the subset
    assert len(dataset.annotations) == 6 and dataset.video_ids("validation") == ["c", "d"]
    assert dataset.targets(dataset.rows("training")).tolist() == [[1], [0]]
    assert dataset.ordered().ignored == ("Ambiguous",)
    assert dataset.notes["segments of eval.ignore_labels, neither trained on nor evaluated"] == 3
    assert load_annotations(settings(path), ["nothing"]).heads == plain.heads


def test_a_class_file_may_name_what_is_ignored(tmp_path):
    path = write_json(tmp_path / "a.json", DATABASE)
    (tmp_path / "classes.txt").write_text("run\nAmbiguous\njump\nswim\n")
    dataset = load_annotations(settings(path, classes=tmp_path / "classes.txt"), ["Ambiguous"])
    assert dataset.heads == (("run", "jump", "swim"),)


def test_excluded_videos_are_not_there(tmp_path):
    apart = unicodedata.normalize("NFD", "caf\u00e9")
    database = DATABASE | {apart: entry([(1, 2, "run")], "validation")}
    path = write_json(tmp_path / "a.json", database)
    composed = unicodedata.normalize("NFC", apart)
    dataset = load_annotations(settings(path, exclude_videos=("b", composed, "zz")))
    assert dataset.video_ids("training") == ["a"] and dataset.video_ids("validation") == ["c", "d"]
    assert set(dataset.excluded) == {"b", unicodedata.normalize("NFC", apart)} or set(
        dataset.excluded
    ) == {"b", apart}
    assert "b" not in set(dataset.annotations["video"])
    assert dataset.notes["videos that dataset.exclude_videos leaves out"] == 2
    assert dataset.notes["names in dataset.exclude_videos that are not annotated"] == 1


def test_subsets_whose_case_alone_differs_are_found(tmp_path):
    database = {"a": entry([(1, 2, "x")], "Validation"), "b": entry([(1, 2, "x")], "Test")}
    path = write_json(tmp_path / "a.json", database)
    dataset = load_annotations(settings(path, train_subset="validation", eval_subset="test"))
    assert dataset.video_ids("validation") == ["a"] and dataset.video_ids("test") == ["b"]
    # exact names come first: two subsets that differ by case alone stay two
    both = {"a": entry([(1, 2, "x")], "Test"), "b": entry([(1, 2, "x")], "test")}
    path = write_json(tmp_path / "b.json", both)
    dataset = load_annotations(settings(path, train_subset="Test", eval_subset="test"))
    assert dataset.video_ids("Test") == ["a"] and dataset.video_ids("test") == ["b"]


def test_no_duration_and_no_annotations_are_read(tmp_path):
    database = DATABASE | {
        "e": {"subset": "validation", "duration": None, "annotations": None},
        "f": {"subset": "validation"},
    }
    dataset = load_annotations(settings(write_json(tmp_path / "a.json", database)))
    assert dataset.video_ids("validation")[-2:] == ["e", "f"]
    assert dataset.videos["duration"].isna().sum() == 2 and len(dataset.annotations) == 6


def test_a_label_to_ignore_is_spelled_as_in_the_files(tmp_path):
    database = {
        "a": {"subset": "training", "annotations": [{"segment": [0, 1], "label": "ambiguous"}]},
        "b": {"subset": "validation", "annotations": [{"segment": [0, 1], "label": "x"}]},
    }
    path = tmp_path / "gt.json"
    path.write_text(json.dumps({"database": database}))
    with pytest.raises(UserError, match="'Ambiguous' is 'ambiguous' in the annotations"):
        load_annotations(settings(path), ("Ambiguous",))
    assert load_annotations(settings(path), ("ambiguous", "Other")).heads == (("x",),)
