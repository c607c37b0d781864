"""Trimmed data sets: lists, Kinetics' and Something-Something's files; wrong ones are named."""

from __future__ import annotations

import pytest

from pipeline.data.annotations import trimmed
from pipeline.data.annotations.dataset import Inputs
from pipeline.errors import UserError


@pytest.mark.parametrize(
    ("reader", "name", "text", "said"),
    [
        (trimmed.read_kinetics, "a.csv", "label,youtube_id,time_start\na,b,1\n", "time_end"),
        (
            trimmed.read_kinetics,
            "a.csv",
            "label,youtube_id,time_start,time_end\na,../b,1,2\n",
            "../b",
        ),
        (trimmed.read_kinetics, "a.txt", "one.mp4 3\ntwo.mp4\n", "line 2"),
        (trimmed.read_kinetics, "a.txt", "one.mp4 3\none.mp4 4\n", "twice"),
        (trimmed.read_something, "a.json", "{", "JSON"),
        (trimmed.read_something, "a.json", "{}", "list"),
        (trimmed.read_something, "a.json", '[{"id": "1"}]', "entry 0"),
    ],
)
def test_wrong_files_are_named(tmp_path, reader, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        reader(Inputs([tmp_path / name]))
    assert name in caught.value.message and said in caught.value.message


def test_lists_take_names_and_numbers(tmp_path):
    (tmp_path / "train.txt").write_text("a/one.mp4 1\nb/two words.mp4 0\n")
    (tmp_path / "val.csv").write_text("three.mp4,zumba\n")
    (tmp_path / "names.txt").write_text("abseiling\nzumba\n")
    files = [tmp_path / "train.txt", tmp_path / "val.csv"]
    dataset = trimmed.read_kinetics(Inputs(files, classes=[tmp_path / "names.txt"]))
    assert dataset.annotations["video"].tolist() == ["one", "two words", "three"]
    assert dataset.annotations["label"].tolist() == ["zumba", "abseiling", "zumba"]
    assert dataset.heads == (("abseiling", "zumba"),)
