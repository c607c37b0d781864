"""Ids and labels that a later stage would refuse are refused where annotations are read, and no others."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from evaluation.submission import read_activitynet, write_activitynet
from feature_extraction.store import feature_path
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data.annotations import Dataset, load_annotations
from pipeline.data.annotations.dataset import check_label, check_video_id
from pipeline.errors import UserError
from pipeline.results.tables import DETECTIONS, read_detections, read_part, write_table
from pipeline.run_folder.files import atomic_path

WRONG_IDS = ["", ".", "..", "a/b", "/a", "a\\b", ".tmp-1", ".tmp-", "a" * 221, "é" * 111]
WRONG_IDS += [f"a{mark}b" for mark in "\0\t\n\r\x1b\x7f\x85\x9b\u2028\u2029\ud800"]
RIGHT_IDS = [
    "a",
    "x.tmp",
    "tmp-1",
    "a.tmp-1",
    ".a",
    "...",
    "v_a",
    "a b",
    " a",
    "NaN",
    "1",
    "#a",
    "é",
    "a,b",
]
RIGHT_IDS += ['a"b', "-a", "a.mp4", "a" * 220, "日本"]
WRONG_LABELS = ["", " ", "\u3000"] + [f"a{mark}b" for mark in "\0\t\n\r\x0b\x1b\x7f\x85\ud800"]
RIGHT_LABELS = [
    "a",
    "NaN",
    "nan",
    "null",
    "None",
    "1",
    "1e5",
    "007",
    "True",
    "inf",
    "a,b",
    'a"b',
    '"',
    "'",
]
RIGHT_LABELS += [" a", "a ", "a\u2028b", "a\u2029", "\u200b", "#a", "=1+1", "日本", "a\u00a0b", "-"]
anything = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)


def accepted(check, text):
    try:
        return check(text, "file") == text
    except UserError as error:
        assert "\n" not in error.message and error.message.isprintable()
        return False


@pytest.mark.parametrize("video", WRONG_IDS)
def test_ids_that_are_no_file_names(video):
    assert not accepted(check_video_id, video)


@pytest.mark.parametrize("video", RIGHT_IDS)
def test_ids_that_are(video):
    assert accepted(check_video_id, video)


@pytest.mark.parametrize("label", WRONG_LABELS)
def test_labels_that_are_no_plain_text(label):
    assert not accepted(check_label, label)


@pytest.mark.parametrize("label", RIGHT_LABELS)
def test_labels_that_are(label):
    assert accepted(check_label, label)


def written(folder, kind, video, label):
    """A file of a format whose validation has a video of this id and a segment of this label."""
    path = folder / f"a.{'csv' if kind == 'table' else 'json'}"
    if kind == "table":
        rows = [("t", 0, 1, "x", "training"), (video, 0, 1, label, "validation")]
        frame = pd.DataFrame(rows, columns=["video", "start", "end", "label", "subset"])
        frame.to_csv(path, index=False, quoting=2)
    elif kind == "activitynet":
        segment = {"segment": [0, 1], "label": label}
        entry = {"subset": "validation", "duration": 2, "annotations": [segment]}
        path.write_text(json.dumps({"database": {video: entry}}))
    else:
        path.write_text(json.dumps([{"id": video, "template": label}]))
    return path


@pytest.mark.parametrize("kind", ["table", "activitynet", "something"])
@pytest.mark.parametrize(
    ("video", "label", "said"),
    [
        ("a\tb", "x", "is not a plain file name; rename the video"),
        (".tmp-a", "x", "is not a plain file name; rename the video"),
        ("..", "x", "is not a plain file name; rename the video"),
        ("a", "x\ry", "is not plain text"),
        ("a", "x\ny", "is not plain text"),
        ("a", "x\x1b[2Jy", "is not plain text"),
    ],
)
def test_every_format_refuses_them_with_the_place(tmp_path, kind, video, label, said):
    path = written(tmp_path, kind, video, label)
    chosen = DatasetSettings(name="x", format=kind, annotations=path, videos=tmp_path)
    with pytest.raises(UserError, match=said) as caught:
        load_annotations(chosen)
    assert caught.value.message.startswith(str(path))
    place = {"table": "line 3", "activitynet": "video", "something": "entry 0"}[kind]
    assert place in caught.value.message


def test_class_files_are_looked_at_too(tmp_path):
    path = written(tmp_path, "activitynet", "a", "x")
    (tmp_path / "classes.txt").write_text("x\ny\tz\n")
    chosen = DatasetSettings(
        name="x", format="activitynet", annotations=path, videos=tmp_path,
        classes=tmp_path / "classes.txt",
    )  # fmt: skip
    with pytest.raises(UserError, match="is not plain text"):
        load_annotations(chosen)


@anything
@given(st.text(max_size=20))
@example(".tmp-x")
@example("x.tmp")
@example("NaN")
@example("'\"")
def test_what_is_made_of_an_id_can_be_made(tmp_path, video):
    """An id that is accepted names a feature file, a table of proposals and a row of it."""
    if not accepted(check_video_id, video):
        return
    path = feature_path(tmp_path, video)
    assert path.parent == tmp_path and not path.match(".tmp-*") and path.suffix == ".h5"
    with atomic_path(path) as temporary:
        temporary.touch()
    table = pd.DataFrame({"video": [video], "start": [0.0], "end": [1.0], "score": [0.5]})
    write_table(tmp_path / f"{video}.csv", table)
    assert read_part(tmp_path / f"{video}.csv", video)["video"].tolist() == [video]


@anything
@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4, unique=True))
@example(RIGHT_LABELS)
def test_a_label_comes_back_from_every_file_it_is_written_to(tmp_path, labels):
    labels = [label for label in labels if accepted(check_label, label)]
    if not labels:
        return
    videos = pd.DataFrame({"video": ["a"], "subset": "validation"})
    dataset = Dataset(pd.DataFrame(), videos, (tuple(labels),))
    rows = pd.DataFrame({"video": "a", "start": 0.0, "end": 1.0, "label": labels, "score": 0.5})
    write_table(tmp_path / DETECTIONS, rows)
    assert read_detections(tmp_path, dataset, "validation")["label"].tolist() == labels
    write_activitynet(tmp_path / "s.json", rows, videos=["a"], classes=labels)
    assert read_activitynet(tmp_path / "s.json")["label"].tolist() == labels


NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize("kind", ["table", "activitynet", "something"])
def test_ids_are_read_in_one_form(tmp_path, kind):
    path = written(tmp_path, kind, NFD, "x")
    chosen = DatasetSettings(name="x", format=kind, annotations=path, videos=tmp_path)
    dataset = load_annotations(chosen)
    for table in (dataset.annotations, dataset.videos):
        assert NFC in table["video"].tolist() and NFD not in table["video"].tolist()


@pytest.mark.parametrize("kind", ["table", "activitynet", "something"])
def test_two_ids_that_become_one_are_both_named(tmp_path, kind):
    if kind == "table":
        path = tmp_path / "a.csv"
        path.write_text(f"video,start,end,label\n{NFC},0,1,x\n{NFD},0,1,x\n")
    elif kind == "activitynet":
        path = tmp_path / "a.json"
        entry = {"subset": "validation", "annotations": []}
        path.write_text(json.dumps({"database": {NFC: entry, NFD: entry}}))
    else:
        path = tmp_path / "a.json"
        path.write_text(json.dumps([{"id": name, "template": "x"} for name in (NFC, NFD)]))
    chosen = DatasetSettings(name="x", format=kind, annotations=path, videos=tmp_path)
    with pytest.raises(UserError, match="one name in two forms of Unicode") as caught:
        load_annotations(chosen)
    message = caught.value.message
    assert message.startswith(str(path)) and "xe9" in message and "u0301" in message


@pytest.mark.parametrize(
    ("video", "said"),
    [
        ("sub/v00.mp4", "it contains a folder: write v00 "),
        ("C:\\videos\\v00.MP4", "it contains a folder: write v00 "),
        ("/clip.v2", "it contains a folder: write clip.v2 "),
        ("../..", "it contains a folder (videos are found in all folders below"),
        ("a/", "it contains a folder (videos are found in all folders below"),
    ],
)
def test_an_id_with_a_folder_is_told_what_to_write(video, said):
    with pytest.raises(UserError, match="is not a plain file name") as caught:
        check_video_id(video, "a.csv, line 2")
    assert said in caught.value.message


def test_lists_of_paths_keep_the_dots_of_names(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a/clip.v2 x\nb/clip.v3.mp4 x\nv00.MKV x\n")
    chosen = DatasetSettings(name="x", format="kinetics", annotations=path, videos=tmp_path)
    assert load_annotations(chosen).videos["video"].tolist() == ["clip.v2", "clip.v3", "v00"]
