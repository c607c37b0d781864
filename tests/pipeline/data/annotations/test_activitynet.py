"""Files of the form of ActivityNet: read right, or refused in one line."""

from __future__ import annotations

import contextlib
import json

import pytest
from helpers.activitynet_files import entry, write_json
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.annotations import activitynet, training_rows
from pipeline.data.annotations.dataset import Inputs
from pipeline.errors import UserError


def test_activitynet_form(tmp_path):
    path = write_json(
        tmp_path / "a.json",
        {"one": entry([(1, 2, "b"), (3, 3, "a")]), "two": entry([], "validation", 7.5)},
    )
    dataset = activitynet.read(Inputs([path]))
    assert dataset.heads == (("a", "b"),)
    assert dataset.num_classes == 2
    assert dataset.videos["duration"].tolist() == [10.0, 7.5]
    assert dataset.video_ids("validation") == ["two"]
    assert dataset.targets(dataset.rows("training")).tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ({}, "database"),
        ({"v": 3}, "video v"),
        ({"v": {"duration": 3}}, "subset"),
        ({"v": {"subset": "training", "annotations": 3}}, "is not a list"),
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
        activitynet.read(Inputs([write_json(tmp_path / "a.json", database)]))
    assert said in caught.value.message and "a.json" in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "{", '{"database": []}', "[" * 100000, "\0"])
def test_files_that_are_no_annotations(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"a\.json"):
        activitynet.read(Inputs([path]))


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
        activitynet.read(Inputs([path]))


def test_real_hacs_and_activitynet(real_data):
    file = real_data("hacs/hacs_schema_derived_from_anet_val.json")
    hacs = activitynet.read(Inputs([file], classes=[real_data("hacs/action_name.csv")]))
    assert hacs.num_classes == 200
    file = real_data("activitynet/activitynet_v1-3_validation_official_schema.json")
    anet = activitynet.read(Inputs([file]))
    assert anet.num_classes == 200
    _, counts = training_rows(anet, "validation")
    assert counts["zero length or end before start, left out"] == 3
    assert counts["duplicate, used once"] == 19
