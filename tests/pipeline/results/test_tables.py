"""The tables that stages hand on: read as written, and refused where they are not what they should be."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from helpers.special_files import KINDS, SAID, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data.annotations import Dataset
from pipeline.errors import UserError
from pipeline.results.tables import (
    DETECTIONS,
    PROPOSALS,
    as_cell,
    from_cell,
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
    with pytest.raises(UserError, match="run `tada-loc bmn` to make it again"):
        read_proposals(tmp_path, ONE_HEAD, "validation")


# What a spreadsheet runs, what looks like our mark, and what a CSV file has to quote.
FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\uff1d1",
    "-",
    "=",
]
NAMES = [
    *FORMULAS, *(f"'{name}" for name in FORMULAS), *(f"''{name}" for name in FORMULAS),
    "'", "''", "'tis", "a=b", "a\rb", "a\r\nb", "a\nb", 'a"b', '"', ",", "a,b", " a ", "nan", "NULL", "1e5", "-5", "",
]  # fmt: skip


def round_trip(folder, names: list[str]) -> str:
    """The text of a table of detections with these names, which come back as they were."""
    videos = pd.DataFrame({"video": names, "subset": "validation"})
    table = pd.DataFrame(
        {"video": names, "start": -0.5, "end": 1.5, "label": names, "score": -1e-5}
    )
    write_table(folder / DETECTIONS, table)
    dataset = Dataset(pd.DataFrame(), videos, (tuple(names),))
    found = read_detections(folder, dataset, "validation")
    pd.testing.assert_frame_equal(found, table, check_dtype=False)
    return (folder / DETECTIONS).read_bytes().decode()


def test_no_name_is_a_formula_and_every_name_comes_back(tmp_path):
    text = round_trip(tmp_path, NAMES)
    cells = [row[place] for row in csv.reader(io.StringIO(text, newline="")) for place in (0, 3)]
    assert len(cells) == 2 * (1 + len(NAMES))
    assert not [cell for cell in cells if cell.strip()[:1] in set("=+-@\uff1d") - {""}]
    assert not [cell for cell in cells if cell[:1] in {"\t", "\r", "\n"}]
    assert "-0.5" in text and "-1e-05" in text, "numbers stay numbers"


def test_plain_names_stand_as_they_are(tmp_path):
    text = round_trip(tmp_path, ["v_1", "'tis", "O'Neill", "a b"])
    assert text.splitlines()[2] == "'tis,-0.5,1.5,'tis,-1e-05"


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.one_of(
            st.text("'=+-@\t\r\n ,\"a\uff1d", max_size=6),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_every_name_comes_back(tmp_path, names):
    assert all(from_cell(as_cell(name)) == name for name in names)
    round_trip(tmp_path, names)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_that_is_no_plain_file_is_refused(tmp_path, kind):
    put(tmp_path / PROPOSALS, kind)
    with pytest.raises(UserError, match=SAID[kind]):
        read_proposals(tmp_path, ONE_HEAD, "validation")
