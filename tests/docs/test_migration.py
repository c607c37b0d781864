"""What the pages for users of other programs, and those of data sets, name of ours exists, with its value and default.

In the tables of the migration pages the columns headed "here" are ours, the others are theirs.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from helpers.documents.lines import SPAN, key_problem, keys_in, option_problem
from helpers.documents.parts import tables_of
from helpers.paths import ROOT

from pipeline.configuration.keys import default_fields
from pipeline.configuration.reading import SHIPPED
from pipeline.configuration.yaml_text import read_yaml

HOW_TO = ROOT / "docs" / "how-to"
THEIRS = ["from-opentad", "from-mmaction2", "from-actionformer"]
DATA_SETS = ["hacs", "epic-kitchens", "thumos14", "activitynet", "classifiers"]
DEFAULT = re.compile(r"default here is (?:THUMOS14's: )?([\w.]*\w)")
CONFIGS = {path.stem for path in SHIPPED.glob("*.yaml")}


class Row(NamedTuple):
    """A row of a table: the number of its line, the text of our columns, and of all."""

    line: int
    ours: str
    text: str


def rows_of(text: str) -> list[Row]:
    """The rows of the tables that have a column of ours."""
    found: list[Row] = []
    for table in tables_of(text):
        ours = [place for place, title in enumerate(table.titles) if "here" in title.split()]
        found += [
            Row(row.line, " ".join(row.cells[place] for place in ours), row.text)
            for row in table.rows
            if ours
        ]
    return found


def keys_of(row: Row) -> list[tuple[str, str | None]]:
    """Our keys of a row, and their values."""
    return list(keys_in(SPAN.findall(row.ours)))


def read(page: str) -> str:
    """A page of docs/how-to."""
    return (HOW_TO / f"{page}.md").read_text("utf-8")


@pytest.mark.parametrize("page", THEIRS)
def test_our_side_of_the_tables_exists(page):
    rows = rows_of(read(page))
    assert sum(bool(keys_of(row)) for row in rows) >= 15  # of each page's keys
    said = [
        f"{page}.md:{row.line}: {problem}"
        for row in rows
        for key, value in keys_of(row)
        if (problem := key_problem(key, value))
    ]
    assert not said, "\n".join(said)


def test_defaults_of_ours_that_the_notes_name_are_the_defaults():
    found = [
        (keys_of(row)[0][0], match[1])  # a note is of the first key of its row
        for page in THEIRS
        for row in rows_of(read(page))
        if (match := DEFAULT.search(row.text))
    ]
    assert len(found) >= 5
    assert {key: read_yaml(text) for key, text in found} == {
        key: default_fields()[key] for key, _ in found
    }


@pytest.mark.parametrize("page", THEIRS)
def test_options_of_ours_exist(page):
    spans = [span for row in rows_of(read(page)) for span in SPAN.findall(row.ours)]
    assert not [problem for span in spans if (problem := option_problem(span))]


@pytest.mark.parametrize("page", [*THEIRS, *DATA_SETS])
def test_configurations_that_the_pages_name_are_shipped(page):
    text = read(page)
    rows = re.findall(r"^\| `([a-z0-9_]+)`[^|]* \| (?:TAda2D|SlowFast|TSN)", text, re.MULTILINE)
    named = {*rows, *re.findall(r"--config ([a-z0-9_]+)(?![\w.-])", text)}
    assert named
    assert named <= CONFIGS


def test_the_table_of_where_to_begin_names_shipped_configurations():
    rows = [row for row in rows_of(read("from-opentad")) if "`configs/" in row.text]
    assert rows
    for row in rows:
        assert set(re.findall(r"`([a-z]\w*)`", row.ours)) & CONFIGS, row.text


def test_a_table_is_read_as_it_is_written():
    page = (
        "| theirs | here |\n| --- | --- |\n| `bmn.theirs` | `bmn.no_such`, `bmn.mode: windows` |\n"
    )
    (row,) = rows_of(page)
    assert keys_of(row) == [("bmn.no_such", None), ("bmn.mode", "windows")]
