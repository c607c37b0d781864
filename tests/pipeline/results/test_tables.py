"""The tables that stages hand on: read as written, and refused where they are not what they should be."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.data.annotations import Dataset
from pipeline.errors import UserError
from pipeline.results.tables import (
    DETECTIONS,
    PROPOSALS,
    read_detections,
    read_part,
    read_proposals,
    write_table,
)

VIDEOS = pd.DataFrame({"video": ["a", "007"], "subset": "validation"})
ONE_HEAD = Dataset(pd.DataFrame(), VIDEOS, (("grow", "1e5"),))
TWO_HEADS = Dataset(pd.DataFrame(), VIDEOS, (("cut", "mix"), ("egg", "pan", "oil")))
PROPOSED = pd.DataFrame(
    {"video": ["a", "007"], "start": [0.1, 1.0], "end": [0.7, 2.5], "score": [0.9, 0.25]}
)
DETECTED = PROPOSED.assign(label=["grow", "1e5"])[["video", "start", "end", "label", "score"]]


def test_tables_come_back_as_they_were_written(tmp_path):
    """Ids and classes are text, however they look; numbers keep every digit."""
    exact = PROPOSED.assign(start=[0.1 + 0.2, 1.0])
    write_table(tmp_path / PROPOSALS, exact)
    pd.testing.assert_frame_equal(
        read_proposals(tmp_path, ONE_HEAD, "validation"), exact, check_exact=True, check_dtype=False
    )
    write_table(tmp_path / DETECTIONS, DETECTED)
    found = read_detections(tmp_path, ONE_HEAD, "validation")
    assert found["label"].tolist() == ["grow", "1e5"] and found["video"].tolist() == ["a", "007"]


def test_other_videos_and_classes_are_named(tmp_path):
    write_table(tmp_path / PROPOSALS, PROPOSED.assign(video=["a", "b"]))
    with pytest.raises(UserError, match="row 1: video 'b' is not in the annotations.*tada-loc bmn"):
        read_proposals(tmp_path, ONE_HEAD, "validation")
    write_table(tmp_path / "a.csv", PROPOSED)
    with pytest.raises(UserError, match="row 1: video '007'"):
        read_part(tmp_path / "a.csv", "a")
    write_table(tmp_path / DETECTIONS, DETECTED.assign(label=["grow", "shrink"]))
    with pytest.raises(UserError, match="row 1: class 'shrink'.*tada-loc classify"):
        read_detections(tmp_path, ONE_HEAD, "validation")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"noun": [2, 3]}, "row 1: class '1,2'"),  # there are three nouns
        ({"verb": [0, 0]}, "row 1: class '1,2'"),  # the label says another verb
    ],
)
def test_verbs_and_nouns_are_those_of_the_label(tmp_path, change, said):
    good = DETECTED.assign(label=["0,2", "1,2"], verb=[0, 1], noun=[2, 2])
    write_table(tmp_path / DETECTIONS, good)
    assert len(read_detections(tmp_path, TWO_HEADS, "validation")) == 2
    write_table(tmp_path / DETECTIONS, good.assign(**change))
    with pytest.raises(UserError, match=said):
        read_detections(tmp_path, TWO_HEADS, "validation")
    write_table(tmp_path / DETECTIONS, good.drop(columns="noun"))
    with pytest.raises(UserError, match="no column noun"):
        read_detections(tmp_path, TWO_HEADS, "validation")


def test_what_is_gone_or_no_table_says_how_to_make_it_again(tmp_path):
    with pytest.raises(UserError, match=r"proposals\.csv: no such file; run `tada-loc bmn`"):
        read_proposals(tmp_path, ONE_HEAD, "validation")
    (tmp_path / PROPOSALS).write_bytes(b"\x00\xff")
    with pytest.raises(UserError, match="run `tada-loc bmn`, which makes it again"):
        read_proposals(tmp_path, ONE_HEAD, "validation")
