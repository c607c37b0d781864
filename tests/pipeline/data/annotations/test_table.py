"""Tables of one's own: read right, or refused in one line."""

from __future__ import annotations

import pytest

from pipeline.data.annotations import table
from pipeline.data.annotations.dataset import Inputs
from pipeline.errors import UserError


def test_table_with_and_without_subset(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("video,start,end,label,subset\na,0,1,x,training\nb,1.5,2,y,validation\n")
    dataset = table.read(Inputs([path]))
    assert dataset.video_ids("validation") == ["b"]
    path.write_text("video,start,end,label\n" + "".join(f"v{i},0,1,x\n" for i in range(10)))
    dataset = table.read(Inputs([path]))
    assert dataset.video_ids("validation") == ["v4", "v9"]
    assert sum(dataset.notes.values()) == 2


def test_two_tables_are_training_and_validation(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f"video,start,end,label\n{name},0,1,x\n")
    dataset = table.read(Inputs([tmp_path / "a.csv", tmp_path / "b.csv"]))
    assert (dataset.video_ids("training"), dataset.video_ids("validation")) == (["a"], ["b"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("video,start,end\na,0,1\n", "label"),
        ("video,start,end,label\n", "no annotation"),
        ("video,start,end,label\na,zero,1,x\n", "line 2"),
        ("video,start,end,label\na,0,1,x\na,3,2,x\n", "line 3"),
        ("video,start,end,label\na,-1,2,x\n", "-1"),
        ("video,start,end,label\na,nan,2,x\n", "nan"),
        ("video,start,end,label\na,0,inf,x\n", "inf"),
        ("video,start,end,label\n../a,0,1,x\n", "../a"),
        ("video,start,end,label\na,0,1,\n", "no label"),
        ("video,start,end,label\na,0,1,x,y\n", "line 2: more fields"),
        ("video,start,end,label\n" + "a" * 240 + ",0,1,x\n", "240 bytes"),
        ("video,start,end,label,subset\na,0,1,x,s\na,2,3,x,t\n", "two subsets"),
        ("", "own.csv"),
        ('"', "own.csv"),
    ],
)
def test_wrong_tables(tmp_path, text, said):
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        table.read(Inputs([path]))
    assert said in caught.value.message
