"""What the pages for users of other programs, and those of data sets, name of ours exists, with its value and default.

In the tables of the migration pages the columns headed "here" are ours, the others are theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from helpers.paths import ROOT

from pipeline.cli.commands import main
from pipeline.configuration.keys import default_fields, known_keys
from pipeline.configuration.reading import SHIPPED, find_config, load_config, parse_overrides
from pipeline.configuration.yaml_text import read_yaml
from pipeline.errors import UserError

HOW_TO = ROOT / "docs" / "how-to"
THEIRS = ["from-opentad", "from-mmaction2", "from-actionformer"]
DATA_SETS = ["hacs", "epic-kitchens", "thumos14", "activitynet", "classifiers"]
SPAN = re.compile(r"`([^`]+)`")
SECTIONS = sorted({key.partition(".")[0] for key in known_keys()})
KEY = re.compile(rf"((?:{'|'.join(SECTIONS)})\.[a-z_]\w*)(?:(?:: |=)(.*))?$")
DEFAULT = re.compile(r"default here is (?:THUMOS14's: )?([\w.]*\w)")
CONFIGS = {path.stem for path in SHIPPED.glob("*.yaml")}


class Row(NamedTuple):
    """A row of a table: the number of its line, the text of our columns, and of all."""

    line: int
    ours: str
    text: str


def rows_of(text: str) -> list[Row]:
    """The rows of the tables that have a column of ours; their headings and rules are left out."""
    found: list[Row] = []
    heading: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().removesuffix("|").split("|")[1:]]
        if not cells:
            heading = None
        elif heading is None:
            heading = cells
        elif not set(line) <= set("|- "):
            ours = [
                cell for name, cell in zip(heading, cells, strict=True) if "here" in name.split()
            ]
            found += [Row(number, " ".join(ours), line)] if ours else []
    return found


def keys_in(text: str) -> Iterator[tuple[str, str | None]]:
    """Our keys between backticks, `bmn.mode` or `bmn.mode: windows` or `bmn.mode=windows`, and their values."""
    for span in SPAN.findall(text):
        words = span.split()
        several = len(words) > 1 and all("=" in word for word in words)
        for part in words if several else [span.strip()]:
            if match := KEY.fullmatch(part):
                yield match[1], match[2]


def problem_of(key: str, value: str | None) -> str | None:
    """What the configuration says against a key, or a value of it."""
    if key not in known_keys():
        return f"there is no key {key}"
    if value is None or value.isupper() or value.endswith(("FILE", "DIR")):
        return None
    config = "ek100_actionformer" if key.startswith(("actionformer.", "detections.")) else "ek100"
    try:
        load_config(find_config(config), parse_overrides([f"{key}={value}"]), quiet=True)
    except UserError as error:
        return error.message
    return None


def option_problem(span: str) -> str | None:
    """What no command has of a span of options, `--fps 30 --stride 4`."""
    names = {word.partition("=")[0] for word in span.split() if word.startswith("--")}
    known = [
        {o for p in c.params for o in (*p.opts, *p.secondary_opts)} for c in main.commands.values()
    ]
    return None if any(names <= options for options in known) else f"no command takes {span}"


def read(page: str) -> str:
    """A page of docs/how-to."""
    return (HOW_TO / f"{page}.md").read_text("utf-8")


@pytest.mark.parametrize("page", THEIRS)
def test_our_side_of_the_tables_exists(page):
    rows = rows_of(read(page))
    assert sum(bool(list(keys_in(row.ours))) for row in rows) >= 15  # of each page's keys
    said = [
        f"{page}.md:{row.line}: {problem}"
        for row in rows
        for key, value in keys_in(row.ours)
        if (problem := problem_of(key, value))
    ]
    assert not said, "\n".join(said)


def test_defaults_of_ours_that_the_notes_name_are_the_defaults():
    found = [
        (next(keys_in(row.ours))[0], match[1])  # a note is of the first key of its row
        for page in THEIRS
        for row in rows_of(read(page))
        if (match := DEFAULT.search(row.text))
    ]
    assert len(found) >= 5
    assert {key: read_yaml(text) for key, text in found} == {
        key: default_fields()[key] for key, _ in found
    }


@pytest.mark.parametrize("page", DATA_SETS)
def test_keys_of_the_pages_of_data_sets_exist(page):
    said = [problem for key, value in keys_in(read(page)) if (problem := problem_of(key, value))]
    assert not said, "\n".join(said)


@pytest.mark.parametrize("page", [*THEIRS, *DATA_SETS])
def test_options_between_backticks_exist(page):
    text = read(page)
    ours = "\n".join(row.ours for row in rows_of(text)) if page in THEIRS else text
    spans = [span for span in SPAN.findall(ours) if span.startswith("--")]
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
    page = "| theirs | here |\n| --- | --- |\n| `solver.x` | `bmn.no_such`, `bmn.mode: windows` |\n"
    (row,) = rows_of(page)
    assert list(keys_in(row.ours)) == [("bmn.no_such", None), ("bmn.mode", "windows")]
    assert problem_of("bmn.no_such", None)
    assert problem_of("bmn.mode", "windows") is None
    assert problem_of("bmn.mode", "sideways")
    assert option_problem("--fps 30 --no-such 1")
    assert option_problem("--fps 30 --stride 4 --frames 32 --offset-frames 16") is None
