"""Detections are a data frame that keeps what is known of its videos, and files are made of the rows that are there."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pandas as pd
import pysrt
import pytest
from helpers.hand_made import EPIC_NAMES, HOSTILE, found
from pandas.testing import assert_frame_equal

from pipeline.errors import UserError
from pipeline.notebook.detections import Detections
from pipeline.results.tables import read_given

COLUMNS = ["video", "start", "end", "label", "score"]


@pytest.fixture
def table() -> Detections:
    return Detections.of_predictions([found(video="a"), found(video="b"), found((), video="none")])


KEEPING = {
    "filter": lambda t: t[t["score"] > 0.5],
    "attribute": lambda t: t[t.label == "right"],
    "none": lambda t: t[t["score"] > 2],
    "query": lambda t: t.query("score > 0.2"),
    "loc": lambda t: t.loc[t["label"] == "up", :],
    "iloc": lambda t: t.iloc[::2],
    "order": lambda t: t.sort_values("start"),
    "copy": lambda t: t.copy(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda t: pickle.loads(pickle.dumps(t)),  # noqa: S301  # made a moment ago
    "column": lambda t: t.assign(length=t["end"] - t["start"]),
    "index": lambda t: t.reset_index(drop=True),
    "best": lambda t: t.nlargest(2, "score"),
    "concat": lambda t: pd.concat([t.of("a"), t.of(["b", "none"])]),
    "concat frame": lambda t: pd.concat([t, pd.DataFrame(t)]),
    "merge": lambda t: t.merge(pd.DataFrame({"label": ["up"], "weight": [2.0]}), on="label"),
    "group": lambda t: t.groupby("video").head(1),
    "type": lambda t: t.astype({"score": "float32"}),
    "category": lambda t: t.astype({"video": "category"}),
}
LEAVING = {
    "columns": lambda t: t[["video", "label"]],
    "transposed": lambda t: t.T,
    "isna": lambda t: t.isna(),
    "text": lambda t: t.astype(str),
    "describe": lambda t: t.describe(),
    "means": lambda t: t.groupby("label").mean(numeric_only=True),
    "frame": pd.DataFrame,
    "pivot": lambda t: t.pivot_table(index="video", columns="label", values="score"),
}


@pytest.mark.parametrize("name", KEEPING)
def test_what_keeps_the_columns_keeps_the_videos(name, table):
    kept, plain = KEEPING[name](table), KEEPING[name]
    assert type(kept) is Detections and isinstance(kept, pd.DataFrame)
    assert list(kept.videos) == ["a", "b", "none"]
    assert kept.videos["none"].duration == table.videos["none"].duration
    assert sum(len(one.detections) for one in kept.videos.values()) == len(kept)
    if name not in ("concat",):
        assert_frame_equal(pd.DataFrame(kept), plain_of(plain, table), check_like=True)


def plain_of(change, table: Detections) -> pd.DataFrame:
    return change(pd.DataFrame(table))


@pytest.mark.parametrize("name", LEAVING)
def test_what_does_not_is_a_plain_table(name, table):
    assert type(LEAVING[name](table)) is pd.DataFrame


def test_it_is_a_data_frame_to_everything_else(table, tmp_path):
    assert list(table.columns) == COLUMNS and len(table) == 8
    assert table["label"].value_counts()["right"] == 4
    assert table.groupby("video")["score"].max().to_dict() == {"a": 0.9, "b": 0.9}
    table.to_csv(tmp_path / "x.csv", index=False)
    assert_frame_equal(read_given(tmp_path / "x.csv"), pd.DataFrame(table), check_dtype=False)


def test_changed_in_place_it_still_shows_itself(table):
    for change in ("drop", "text", "nan", "twice"):
        other = table.copy()
        if change == "drop":
            del other["score"]
        elif change == "text":
            other["score"] = "x"
        elif change == "nan":
            other.loc[0, "start"] = np.nan
        else:
            other.columns = ["video", "start", "start", "label", "score"]
        assert repr(other) and other._repr_html_()
        with pytest.raises(UserError, match="detections") as refused:
            other.to_activitynet()
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"video": ["a"], "start": [0.0], "end": [1.0], "label": ["x"]}, "no column 'score'"),
        ({"video": ["a"], "start": [2.0], "end": [1.0], "label": ["x"], "score": [1.0]}, "end"),
        ({"video": ["a"], "start": [0.0], "end": [1.0], "label": ["x"], "score": [np.nan]}, "nan"),
        ({"video": ["a"], "start": ["0"], "end": [1.0], "label": ["x"], "score": [1.0]}, "start"),
    ],
)
def test_a_table_that_is_none_of_detections_is_refused(rows, said):
    with pytest.raises(UserError, match=said):
        Detections(pd.DataFrame(rows))


def test_a_table_of_ones_own_and_an_empty_one(tmp_path):
    own = Detections(pd.DataFrame(found(video="a").detections))
    assert own.videos["a"].duration == 9.0 and own.proposals.empty
    own.to_srt(tmp_path / "a.srt")
    assert len(pysrt.open(str(tmp_path / "a.srt")))
    empty = Detections()
    assert list(empty.columns) == COLUMNS and empty.videos == {}
    assert repr(empty) and empty._repr_html_() and empty.to_activitynet()["results"] == {}
    for write in (empty.to_srt, empty.timeline):
        with pytest.raises(UserError, match="no video"):
            write(tmp_path / "x")
    with pytest.raises(UserError, match="no video"):
        empty.plot()


def test_one_video_of_several(table):
    assert list(table.of("none").videos) == ["none"] and len(table.of("none")) == 0
    assert set(table.of(["a", "b"])["video"]) == {"a", "b"}
    with pytest.raises(UserError, match=r"video 'c' is not here; the videos are a, b, none"):
        table.of("c")


def test_the_result_form_names_every_video(table, tmp_path):
    made = table[table["score"] > 0.5].to_activitynet()
    assert {video: len(rows) for video, rows in made["results"].items()} == {
        "a": 2,
        "b": 2,
        "none": 0,
    }
    assert made["results"]["a"][0] == {"label": "right", "segment": [1.5, 3.5], "score": 0.9}
    assert table[table["score"] > 0.5].to_activitynet(tmp_path / "x.json") is None
    assert json.loads((tmp_path / "x.json").read_text()) == made


def test_rows_are_written_best_first_whatever_their_order(table):
    turned = table.sort_values("start").to_activitynet()
    assert turned == table.to_activitynet()


@pytest.mark.parametrize(
    ("method", "ending"),
    [("to_srt", ".srt"), ("to_vtt", ".vtt"), ("to_elan", ".eaf"), ("timeline", ".html")],
)
def test_a_file_a_video(method, ending, table, tmp_path):
    getattr(table.of("a"), method)(tmp_path / f"own{ending}")
    getattr(table, method)(tmp_path / "all")
    getattr(table.of("a"), method)(tmp_path / "all")  # a folder that is there
    names = sorted(path.name for path in (tmp_path / "all").iterdir())
    assert names == [f"{video}{ending}" for video in ("a", "b", "none")]
    with pytest.raises(UserError, match=r"one video, and these are 3.*found\.of\('a'\)"):
        getattr(table, method)(tmp_path / f"x{ending}")
    assert not (tmp_path / f"x{ending}").exists()


@pytest.mark.parametrize("video", ["../out", "/out", "a/../../out", "", ".", "a\x1b"])
def test_no_file_leaves_the_folder(video, tmp_path):
    two = Detections.of_predictions([found(video=video), found(video="b")])
    with pytest.raises(UserError, match="rename"):
        two.to_srt(tmp_path / "all")
    assert not list(tmp_path.rglob("*out*"))


def test_an_id_with_a_folder_has_its_file_there(tmp_path):
    two = Detections.of_predictions([found(video="CLASS/a"), found(video="CLASS/b")])
    two.to_vtt(tmp_path)
    assert (tmp_path / "CLASS" / "a.vtt").is_file()


def test_only_the_rows_that_are_there_are_written(table, tmp_path):
    table.of("a")[lambda rows: rows["label"] == "up"].to_srt(tmp_path / "a.srt")
    (cue,) = pysrt.open(str(tmp_path / "a.srt"))
    assert "up" in cue.text and cue.start.ordinal == 2000


def test_files_of_all_videos_for_tools_to_correct_them(table, tmp_path):
    table.to_via(tmp_path / "via.json")
    table.to_label_studio(tmp_path / "tasks.json")
    assert len(json.loads((tmp_path / "via.json").read_text())["file"]) == 3
    assert len(json.loads((tmp_path / "tasks.json").read_text())) == 3
    assert "right" in (tmp_path / "tasks.xml").read_text()


def test_names_of_epic_kitchens_are_shown_and_labels_kept():
    rows = [(0.0, 2.0, "3,17", 0.9), (1.0, 2.0, "0,2", 0.5)]
    table = Detections.of_predictions([found(rows, video="P01_01", names=EPIC_NAMES)])
    assert table["label"].tolist() == ["3,17", "0,2"]
    assert "open drawer" in repr(table) and "open drawer" in table._repr_html_()


def test_hostile_labels_go_through(tmp_path):
    rows = [(float(i), i + 1.0, label, 0.9) for i, label in enumerate(HOSTILE)]
    table = Detections.of_predictions([found(rows, video="a")])
    assert [one["label"] for one in table.to_activitynet()["results"]["a"]] == list(HOSTILE)
    table.timeline(tmp_path / "a.html")
    assert "\u202e" not in repr(table) and "\x1b" not in repr(table)


def test_videos_and_labels_that_are_numbers_are_shown_and_chosen():
    table = Detections({"video": [7, 8], "start": [0, 0], "end": [1, 1], "label": [3, 4], "score": [0.5, 0.4]})  # fmt: skip
    assert "7  1 s" in repr(table) and "<svg" in table._repr_html_()
    assert list(table.videos) == ["7", "8"] and len(table.of("7")) == 1
