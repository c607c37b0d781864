"""Annotation files: real ones read right, dirty rows are counted, wrong ones get one line."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data import annotations
from pipeline.data.annotations import activitynet, epic_kitchens, table, training_rows
from pipeline.errors import UserError


def write_json(path, database):
    path.write_text(json.dumps({"database": database}))
    return path


def entry(segments, subset="training", duration="10.0"):
    return {
        "subset": subset,
        "duration": duration,
        "annotations": [{"segment": list(s[:2]), "label": s[2]} for s in segments],
    }


def test_activitynet_form(tmp_path):
    path = write_json(
        tmp_path / "a.json",
        {"one": entry([(1, 2, "b"), (3, 3, "a")]), "two": entry([], "validation", 7.5)},
    )
    dataset = activitynet.read([path])
    assert dataset.heads == (("a", "b"),)
    assert dataset.num_classes == 2
    assert dataset.videos["duration"].tolist() == [10.0, 7.5]
    assert dataset.video_ids("validation") == ["two"]
    assert dataset.targets(dataset.rows("training")).tolist() == [[1], [0]]


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
    dataset = activitynet.read([write_json(tmp_path / "a.json", {"v": entry(rows)})])
    kept, counts = training_rows(dataset, "training")
    assert kept[["start", "end"]].values.tolist() == [[1, 2], [9, 10], [2, 6]]
    assert sorted(counts.values()) == [1, 1, 1, 2]
    assert not any("overlap" in reason for reason in counts)


def test_overlaps_and_other_subsets_are_counted(tmp_path):
    from pipeline.configuration.settings import DatasetSettings

    rows = [(0, 9, "a"), (1, 2, "a"), (3, 4, "a"), (9, 10, "b")]
    path = write_json(
        tmp_path / "a.json",
        {"v": entry(rows), "w": entry([(0, 1, "b")], "validation"), "x": entry([], "testing")},
    )
    settings = DatasetSettings(name="x", format="activitynet", annotations=path, videos=tmp_path)
    dataset = annotations.load(settings)
    kept, counts = training_rows(dataset, "training")
    assert len(kept) == 4 and counts["overlap another of their video, kept"] == 3
    assert dataset.notes["videos of subset 'testing', not used"] == 1
    assert len(dataset.rows("training")) == len(rows)


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ({}, "database"),
        ({"v": 3}, "video v"),
        ({"v": {"duration": 3}}, "subset"),
        ({"v": {"subset": "training", "annotations": 3}}, "no list"),
        (
            {"v": {"subset": "training", "annotations": [{"segment": [1], "label": "a"}]}},
            "[start, end]",
        ),
        ({"v": entry([(1, "x", "a")])}, "'x'"),
        ({"v": entry([(-1, 2, "a")])}, "-1"),
        ({"v": entry([(float("nan"), 2, "a")])}, "nan"),
        ({"v": entry([(1, 2, "")])}, "label"),
        ({"v": entry([], duration="long")}, "long"),
        ({"../../x": entry([])}, "../../x"),
        ({"/etc/x": entry([])}, "/etc/x"),
        ({"a\0b": entry([])}, "file name"),
        ({"x" * 300: entry([])}, "file name"),
    ],
)
def test_wrong_activitynet_files(tmp_path, database, said):
    with pytest.raises(UserError) as caught:
        activitynet.read([write_json(tmp_path / "a.json", database)])
    assert said in caught.value.message and "a.json" in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "{", '{"database": []}', "[" * 100000, "\0"])
def test_files_that_are_no_annotations(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match="a.json"):
        activitynet.read([path])


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["database", "subset", "annotations", "segment", "v"]), inner
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(json_values)
def test_any_json_is_read_or_refused(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("fuzz") / "a.json"
    path.write_text(json.dumps({"database": value}))
    with contextlib.suppress(UserError):
        activitynet.read([path])


def test_table_with_and_without_subset(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("video,start,end,label,subset\na,0,1,x,training\nb,1.5,2,y,validation\n")
    dataset = table.read([path], "training", "validation")
    assert dataset.video_ids("validation") == ["b"]
    path.write_text("video,start,end,label\n" + "".join(f"v{i},0,1,x\n" for i in range(10)))
    dataset = table.read([path], "training", "validation")
    assert dataset.video_ids("validation") == ["v4", "v9"]
    assert sum(dataset.notes.values()) == 2


def test_two_tables_are_training_and_validation(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f"video,start,end,label\n{name},0,1,x\n")
    dataset = table.read([tmp_path / "a.csv", tmp_path / "b.csv"], "training", "validation")
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
        table.read([path], "training", "validation")
    assert said in caught.value.message


def epic_files(
    folder, rows, header="video_id,start_timestamp,stop_timestamp,verb_class,noun_class"
):
    (folder / "verbs.csv").write_text("id,key,instances\n0,take,x\n1,put,y\n")
    (folder / "nouns.csv").write_text("id,key,instances\n0,tap,x\n1,spoon,y\n2,plate,z\n")
    (folder / "val.csv").write_text(header + "\n" + rows)
    return [folder / "val.csv"], [folder / "verbs.csv", folder / "nouns.csv"]


def test_epic_kitchens_times_are_the_timestamps(tmp_path):
    files, classes = epic_files(tmp_path, "P01_01,00:00:01.56,01:02:03.45,1,2\n")
    dataset = epic_kitchens.read(files, ("training", "validation"), classes)
    row = dataset.annotations.iloc[0]
    assert (row.start, row.end) == (1.56, 3723.45)
    assert (row.verb, row.noun, row.label) == (1, 2, "1,2")
    assert dataset.num_classes == (2, 3)
    assert dataset.targets(dataset.annotations).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("P01_01,1.5,00:00:02.00,0,0\n", "HH:MM:SS"),
        ("P01_01,00:00:01.00,00:00:02.00,2,0\n", "verb_class"),
        ("P01_01,00:00:01.00,00:00:02.00,0,7\n", "noun_class"),
        ("P01_01,00:00:01.00,00:00:02.00,a,0\n", "'a'"),
        ("", "no annotation"),
    ],
)
def test_wrong_epic_files(tmp_path, rows, said):
    files, classes = epic_files(tmp_path, rows)
    with pytest.raises(UserError, match=said):
        epic_kitchens.read(files, ("training", "validation"), classes)


def test_epic_test_timestamps_are_refused(tmp_path):
    files, classes = epic_files(
        tmp_path, "P01_11,00:00:01.00,00:00:02.00\n", "video_id,start_timestamp,stop_timestamp"
    )
    with pytest.raises(UserError, match="test timestamps"):
        epic_kitchens.read(files, ("training", "validation"), classes)


def test_real_epic_kitchens(real_data):
    dataset = epic_kitchens.read(
        [real_data("ek100/EPIC_100_validation.csv")],
        ("training", "validation"),
        [
            real_data("ek100/EPIC_100_verb_classes.csv"),
            real_data("ek100/EPIC_100_noun_classes.csv"),
        ],
        real_data("ek100/EPIC_100_video_info.csv"),
    )
    rows = dataset.annotations
    assert (len(rows), rows["video"].nunique()) == (9668, 138)
    assert (rows["verb"].nunique(), rows["noun"].nunique(), rows["label"].nunique()) == (
        78,
        211,
        1352,
    )
    assert dataset.num_classes == (97, 300)
    assert np.isclose((rows["end"] - rows["start"]).median(), 1.96, atol=0.006)
    _, counts = training_rows(dataset, "validation")
    assert counts["ends after the video's end, cut there"] == 1
    assert counts["overlap another of their video, kept"] > 4000


def test_real_hacs_and_activitynet(real_data):
    hacs = activitynet.read(
        [real_data("hacs/hacs_schema_derived_from_anet_val.json")],
        real_data("hacs/action_name.csv"),
    )
    assert hacs.num_classes == 200
    anet = activitynet.read(
        [real_data("activitynet/activitynet_v1-3_validation_official_schema.json")]
    )
    assert anet.num_classes == 200
    _, counts = training_rows(anet, "validation")
    assert counts["zero length or end before start, left out"] == 3
    assert counts["duplicate, used once"] == 19


def test_a_subset_that_is_not_there_is_named(tmp_path):
    from pipeline.configuration.settings import DatasetSettings

    path = write_json(tmp_path / "a.json", {"one": entry([(1, 2, "b")])})
    settings = DatasetSettings(name="x", format="activitynet", annotations=path, videos=tmp_path)
    with pytest.raises(UserError, match="validation"):
        annotations.load(settings)
