"""Result files: round trips, and a clear line for everything a benchmark would not take."""

from __future__ import annotations

import gzip
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from helpers.special_files import KINDS, SAID, opened
from helpers.special_files import put as put_special

from evaluation import SubmissionError, submission


def epic_table():
    return pd.DataFrame(
        {
            "video": ["P01_11", "P02_01", "P01_11"],
            "start": [0.0, 1.5, 3.25],
            "end": [1.0, 2.5, 4.0],
            "label": ["3,17", "0,299", "96,0"],
            "score": [0.5, 0.25, 0.125],
            "verb": [3, 0, 96],
            "noun": [17, 299, 0],
        }
    )


def epic_content():
    row = {"verb": 3, "noun": 17, "action": "3,17", "score": 0.5, "segment": [0.0, 1]}
    return {
        "version": "0.2",
        "challenge": "action_detection",
        "sls_pt": 2,
        "sls_tl": 3,
        "sls_td": 3,
        "results": {"P01_11": [row], "P02_01": [], "P02_02": [dict(row), dict(row)]},
    }


def put(path, content):
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".zip"])
def test_epic_kitchens_round_trip(tmp_path, suffix):
    path = tmp_path / f"result{suffix}"
    submission.write_epic_kitchens(path, epic_table(), supervision=(2, 3, 4))
    back = submission.read_epic_kitchens(path, videos={"P01_11", "P02_01"})
    wanted = epic_table().sort_values("video", kind="stable").reset_index(drop=True)
    pd.testing.assert_frame_equal(back, wanted, check_dtype=False)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_epic_kitchens_file_has_the_official_form(tmp_path):
    path = tmp_path / "upload.zip"
    submission.write_epic_kitchens(path, epic_table(), supervision=(2, 3, 4))
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["test.json"]
        content = json.loads(archive.read("test.json"))
    assert list(content) == ["version", "challenge", "sls_pt", "sls_tl", "sls_td", "results"]
    assert (content["version"], content["challenge"]) == ("0.2", "action_detection")
    assert [content[key] for key in ("sls_pt", "sls_tl", "sls_td")] == [2, 3, 4]
    assert content["results"]["P02_01"] == [
        {"verb": 0, "noun": 299, "action": "0,299", "score": 0.25, "segment": [1.5, 2.5]}
    ]


def test_activitynet_round_trip_and_ids(tmp_path):
    table = epic_table()[["video", "start", "end", "label", "score"]].assign(
        video=["v_a", "b", "v_a"], label=["run", "hop", "run"]
    )
    path = tmp_path / "result.json"
    submission.write_activitynet(path, table, videos={"a", "b"}, classes={"run", "hop"})
    content = json.loads(path.read_text())
    assert list(content) == ["version", "external_data", "results"]
    assert content["results"]["b"] == [{"label": "hop", "score": 0.25, "segment": [1.5, 2.5]}]
    back = submission.read_activitynet(path, videos={"v_a", "v_b"}, classes={"run", "hop"})
    assert back["video"].tolist() == ["v_a", "v_a", "v_b"]
    assert back["label"].tolist() == ["run", "run", "hop"]
    assert submission.read_activitynet(path)["video"].tolist() == ["a", "a", "b"]


def test_no_detections_round_trip(tmp_path):
    path = tmp_path / "empty.json"
    submission.write_epic_kitchens(path, epic_table().iloc[:0], supervision=(0, 0, 0))
    back = submission.read_epic_kitchens(path)
    assert back.empty and list(back.columns) == list(epic_table().columns)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment": [2.0, 1.0]}, "segment [2.0, 1.0] does not have start < end"),
        ({"segment": [1.0, 1.0]}, "does not have start < end"),
        ({"segment": [1.0]}, "segment is [1.0]; give [start, end]"),
        ({"segment": [1.0, "2 s"]}, "segment holds '2 s'; give a number"),
        ({"segment": [1.0, "nan"]}, "segment holds 'nan'; give a number"),
        ({"segment": [1.0, "1_0"]}, "segment holds '1_0'; give a number"),
        ({"segment": [0.0, float("nan")]}, "end is nan"),
        ({"score": None}, "score holds None"),
        ({"score": True}, "score holds True"),
        ({"score": float("inf")}, "score is inf"),
        ({"score": 10**400}, "score is inf"),
        ({"verb": 97}, "verb is 97; classes are 0 to 96"),
        ({"verb": -1}, "verb is -1"),
        ({"noun": 300}, "noun is 300; classes are 0 to 299"),
        ({"noun": 10**30}, "classes are 0 to 299"),
        ({"noun": 17.0}, "noun is 17.0; give a whole number"),
        ({"action": "3,18"}, "action is '3,18', verb 3 and noun 17; give action '3,17'"),
        ({"action": [3, 17]}, "action is [3, 17]; give a string"),
    ],
)
def test_bad_rows_are_named(tmp_path, change, message):
    content = epic_content()
    content["results"]["P02_02"][1].update(change)
    path = put(tmp_path / "sub.json", content)
    with pytest.raises(SubmissionError) as error:
        submission.read_epic_kitchens(path)
    assert str(error.value).startswith(f"{path}: video P02_02, row 1: ")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_missing_field_and_wrong_row_are_named(tmp_path):
    content = epic_content()
    del content["results"]["P02_02"][0]["score"]
    with pytest.raises(SubmissionError, match="P02_02, row 0: no 'score'; its fields are verb, "):
        submission.read_epic_kitchens(put(tmp_path / "a.json", content))
    content["results"]["P01_11"] = [7]
    with pytest.raises(SubmissionError, match="video P01_11, row 0: is 7; give an object"):
        submission.read_epic_kitchens(put(tmp_path / "b.json", content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "0.1"}, "version is '0.1'; give \"0.2\""),
        ({"challenge": "action_recognition"}, "challenge is"),
        ({"sls_pt": "2"}, "sls_pt is '2'"),
        ({"results": []}, 'no "results"'),
        ({"results": {"P01_11": {}}}, "video P01_11 holds a dict"),
        ({"results": {"P99_99": []}}, "video P99_99 is not one of the 1 known videos"),
    ],
)
def test_bad_heads_are_named(tmp_path, change, message):
    path = put(tmp_path / "sub.json", epic_content() | {"results": {"P01_11": []}} | change)
    with pytest.raises(SubmissionError) as error:
        submission.read_epic_kitchens(path, videos={"P01_11"})
    assert message in str(error.value) and str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.json", None),
        ("half.json", b'{"results": {'),
        ("bytes.json", b"\xff\xfe\x00"),
        ("half.json.gz", gzip.compress(b"{}" * 500)[:-9]),
        ("not.json.gz", b"{}"),
        ("not.zip", b"{}"),
    ],
)
def test_unreadable_files_are_named(tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SubmissionError, match=name):
        submission.read_activitynet(path)


def test_a_zip_holds_one_json(tmp_path):
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", "{}")
        archive.writestr("b.json", "{}")
    with pytest.raises(SubmissionError, match="holds 2 JSON files"):
        submission.read_activitynet(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"end": [1.0, 1.5, 4.0]}, "P02_01, row 1 of the detection table: segment [1.5, 1.5]"),
        ({"score": [0.5, np.nan, 0.1]}, "row 1 (video P02_01): score is nan"),
        ({"verb": [3, 0, 97], "label": ["3,17", "0,299", "97,0"]}, "verb is 97"),
        ({"verb": [3.0, 0.0, 96.0]}, "no column 'verb' of whole numbers"),
        ({"label": ["3,17", "0,299", "96,1"]}, "label is '96,1', verb 96 and noun 0"),
        ({"video": ["P01_11", "P9", "P01_11"]}, "video P9 is not one of the 2 known videos"),
    ],
)
def test_bad_tables_are_not_written(tmp_path, change, message):
    path = tmp_path / "sub.json"
    with pytest.raises(SubmissionError) as error:
        submission.write_epic_kitchens(
            path, epic_table().assign(**change), supervision=(2, 3, 3), videos={"P01_11", "P02_01"}
        )
    assert message in str(error.value) and not list(tmp_path.iterdir())


def test_writing_checks_levels_labels_and_folder(tmp_path):
    with pytest.raises(SubmissionError, match="three levels from 0 to 5"):
        submission.write_epic_kitchens(tmp_path / "a.json", epic_table(), supervision=(2, 3, 6))
    with pytest.raises(SubmissionError, match="label '3,17' is not one of the 1 classes"):
        submission.write_activitynet(tmp_path / "a.json", epic_table(), classes={"run"})
    with pytest.raises(SubmissionError, match="label is 3; give the class name"):
        submission.write_activitynet(tmp_path / "a.json", epic_table().assign(label=3))
    with pytest.raises(SubmissionError, match="cannot be written"):
        path = tmp_path / "no" / "a.json"
        submission.write_epic_kitchens(path, epic_table(), supervision=(0, 0, 0))


def test_an_id_with_and_without_prefix_is_refused(tmp_path):
    content = {"results": {"a": [], "v_a": []}}
    path = put(tmp_path / "sub.json", content)
    with pytest.raises(SubmissionError, match="with and without v_"):
        submission.read_activitynet(path, videos={"a"})


@pytest.mark.parametrize("ending", [".json", ".json.gz", ".zip"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_refused(tmp_path, kind, ending):
    path = put_special(tmp_path / f"found{ending}", kind)
    with opened(tmp_path) as names, pytest.raises(SubmissionError) as caught:
        submission.read_activitynet(path)
    assert str(caught.value).startswith(f"{path}: cannot be read") and SAID[kind] in str(
        caught.value
    )
    assert "\n" not in str(caught.value) and not names


@pytest.mark.parametrize("ending", [".json", ".json.gz", ".zip"])
def test_more_than_any_result_file_has_is_not_read(tmp_path, ending):
    """A sparse file; and a few kilobytes that unpack to far more than text packs."""
    path = tmp_path / f"found{ending}"
    with path.open("wb") as file:
        file.truncate(8 << 30)
    with (
        opened(tmp_path) as names,
        pytest.raises(SubmissionError, match=r"8590 MB, more than 4096 MB"),
    ):
        submission.read_activitynet(path)
    assert not names
    if ending == ".json":
        return
    content = b'{"results": {}}' + b" " * (20 << 20)
    if ending == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("test.json", content)
    else:
        path.write_bytes(gzip.compress(content))
    with pytest.raises(SubmissionError, match=r": 0\.02 MB that unpacks to more than 16 MB"):
        submission.read_activitynet(path)
