"""Exports of annotation programs in their less usual ways: what they say is taken, or said to be left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.annotation_files import as_json

from pipeline.data.annotations.dataset import Dataset, Inputs
from pipeline.data.annotations.formats import format_of, read_format
from pipeline.errors import UserError

LINE = "Action\t\t00:00:01.000\t00:00:02.500\t00:00:01.500\twalk\n"


def read(path: Path, content: str | bytes, **inputs: Any) -> Dataset:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_format(format_of([path]), Inputs([path], **inputs))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", '"#file:///C:/v/x.mp4 -- offset: 0"\n' + LINE),
        ("b.txt", '"#file:///C:/v/a.eaf"\n"#file:///C:/v/x.mp4 -- offset: 0"\n' + LINE),
        ("c.csv", '"#file:///C:/v/x.mp4 -- offset: 0"\n' + LINE.replace("\t", ",")),
    ],
)
def test_elan_names_its_video_in_a_remark(tmp_path, name, text):
    dataset = read(tmp_path / name, text)
    assert dataset.annotations[["video", "start", "end", "label"]].to_numpy().tolist() == [
        ["x", 1.0, 2.5, "walk"]
    ]
    assert not dataset.notes["files with a master media offset, which is not added to their times"]
    moved = read(tmp_path / name, text.replace("offset: 0", "offset: 1500"))
    assert len(moved.notes) == len(dataset.notes) + 1


def test_a_table_without_headings_is_not_elans(tmp_path):
    with pytest.raises(UserError, match="first line must name the columns"):
        read(tmp_path / "own.txt", "v.mp4\t00:00:01.000\t00:00:02.000\twalk\n")


def test_predictions_of_label_studio_are_said(tmp_path):
    span = {"ranges": [{"start": 1, "end": 24}], "timelinelabels": ["walk"]}
    result = [{"type": "timelinelabels", "value": span}]
    task = {"data": {"video": "v.mp4"}, "predictions": [{"result": result}]}
    tasks = [task | {"annotations": [{"result": result}]}, task | {"annotations": []}]
    tasks[1]["data"] = {"video": "w.mp4"}
    dataset = read(tmp_path / "ls.json", as_json(tasks), fps=24.0)
    assert dataset.notes["predictions, left out"] == 2 and len(dataset.annotations) == 1


def test_texts_beside_options_are_said(tmp_path):
    project = {
        "project": {},
        "file": {"1": {"fname": "v.mp4"}},
        "view": {"1": {"fid_list": ["1"]}},
        "attribute": {
            "1": {"aname": "action", "type": 4, "options": {"w": "walk"}},
            "2": {"aname": "note", "type": 1, "options": {}},
        },
        "metadata": {"a": {"vid": "1", "z": [1, 2], "xy": [], "av": {"1": "w", "2": "fast"}}},
    }
    dataset = read(tmp_path / "via.json", as_json(project))
    assert sorted(dataset.annotations["label"]) == ["fast", "walk"]
    assert dataset.notes["segments with a value of several attributes, each used as a label"] == 1
