"""reliability.md and what-results-depend-on.md: every promise has a test that exists; so has every form of exact-fast-forms.md."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from helpers.documents.parts import tables_of
from helpers.paths import ROOT

from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UsageError

FOLDER = ROOT / "docs" / "explanation"
DOCUMENTS = ("reliability.md", "what-results-depend-on.md", "exact-fast-forms.md")
TEXTS = {name: (FOLDER / name).read_text() for name in DOCUMENTS}
LINK = re.compile(r"\[`([\w.]+\.py(?:::\w+)?)`\]\(([^)]+)\)")
PROMISE = re.compile(r"\(tests: (.*)\)", re.DOTALL)
TRUTH = "../../tests/truth/"


@cache
def names_in(path: Path) -> frozenset[str]:
    """The names of the tests of a file."""
    found = ast.walk(ast.parse(path.read_text()))
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef))


def problem_of(name: str, target: str) -> str | None:
    """What is wrong with a link to a test; None where nothing is."""
    path = (FOLDER / target).resolve()
    file, _, test = name.partition("::")
    if path.name != file:
        return f"{name} is a link to {target}"
    if not path.is_file():
        return f"{target} is not there"
    if test and test not in names_in(path):
        return f"{target} has no {test}"
    return None


def paragraphs(text: str) -> list[str]:
    """The paragraphs that promise something."""
    return [part for part in re.split(r"\n\s*\n", text) if part.startswith("**")]


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of every table that says its tests."""
    tables = [table for table in tables_of(text) if table.titles[-1] == "tests"]
    return [row.cells for table in tables for row in table.rows]


@pytest.mark.parametrize(
    "link",
    sorted({link for text in TEXTS.values() for link in LINK.findall(text)}),
    ids=lambda link: link[0],
)
def test_every_test_it_names_is_there(link):
    if link[1].startswith(TRUTH) and not (FOLDER / TRUTH).is_dir():
        pytest.skip("no tests/truth here")
    assert problem_of(*link) is None


@pytest.mark.parametrize(
    ("name", "least"), [("reliability.md", 15), ("what-results-depend-on.md", 7)]
)
def test_every_promise_names_its_tests(name, least):
    promises = paragraphs(TEXTS[name])
    assert len(promises) >= least
    for promise in promises:
        tests = PROMISE.search(promise)
        assert tests and LINK.findall(tests[1]), promise.splitlines()[0]
        assert promise.endswith(tests[0]), promise.splitlines()[0]


@pytest.mark.parametrize(
    ("name", "least"),
    [("reliability.md", 28), ("what-results-depend-on.md", 30), ("exact-fast-forms.md", 20)],
)
def test_every_row_names_its_tests(name, least):
    cells = rows(TEXTS[name])
    assert len(cells) >= least
    for row in cells:
        assert LINK.findall(row[-1]), row[0]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_to_a_test_is_of_this_form(name):
    """Else it would be passed over here."""
    assert TEXTS[name].count("](../../tests/") == len(LINK.findall(TEXTS[name]))


def test_what_is_wrong_is_found():
    here = f"../../tests/docs/{Path(__file__).name}"
    assert problem_of(Path(__file__).name, here) is None
    assert problem_of(f"{Path(__file__).name}::test_what_is_wrong_is_found", here) is None
    assert "has no test_nothing" in str(problem_of(f"{Path(__file__).name}::test_nothing", here))
    assert "is a link to" in str(problem_of("test_other.py", here))
    assert "is not there" in str(problem_of("test_gone.py", "../tests/test_gone.py"))
    assert paragraphs("**A promise.**\n\nno promise") == ["**A promise.**"]
    assert rows("| a | tests |\n| --- | --- |\n| b | c |\n\n| d | e |") == [["b", "c"]]


def test_a_configuration_of_more_than_a_megabyte_is_refused(tmp_path):
    path = tmp_path / "large.yaml"
    shipped = find_config("demo").read_text()
    path.write_text(shipped + "#" * (1_000_000 - len(shipped.encode())))
    assert load_config(path) == load_config(find_config("demo"))
    path.write_text(path.read_text() + "#")
    with pytest.raises(UsageError, match=r"large\.yaml: .*at most 1\.00 MB"):
        load_config(path)
