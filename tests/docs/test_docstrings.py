"""Docstrings as the site shows them: what is said of parameters is a list, examples are code, prose stays as it is."""

from __future__ import annotations

import importlib.util
import inspect

import pytest
from helpers.paths import ROOT

from evaluation import Recall, detection_map


@pytest.fixture(scope="module")
def docstrings():
    pytest.importorskip("sphinx", reason="sphinx is not installed (the extra `docs`)")
    place = ROOT / "docs" / "_ext" / "docstrings.py"
    spec = importlib.util.spec_from_file_location("docstrings_of_the_site", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entries(docstrings, text, names):
    return list(docstrings.as_entries(text.splitlines(), names))


def test_a_parameter_is_an_entry_with_its_shape_and_the_lines_that_follow(docstrings):
    text = (
        "first, second [N, 2]: both\n    of them\nthird T: one; fourth: another.\nRaises nothing."
    )
    assert entries(docstrings, text, {"first", "second", "third", "fourth"}) == [
        "",
        "- **first**, **second** [N, 2]: both",
        "  of them",
        "- **third** T: one",
        "- **fourth**: another.",
        "",
        "Raises nothing.",
    ]


def test_what_names_no_parameter_is_prose(docstrings):
    text = "Equal scores: the earlier row first.\n\nscores: as they are\nnote: no parameter"
    assert entries(docstrings, text, {"other"}) == text.splitlines()
    assert entries(docstrings, text, set()) == text.splitlines()


def test_an_indented_block_is_code_and_a_list_begins_after_an_empty_line(docstrings):
    text = "Call it:\n\n    one()\n    two()\n\nRules:\n- first\n- second"
    assert list(docstrings.with_code(text.splitlines())) == [
        "Call it:", "", ".. code-block:: python", "", "    one()", "    two()", "", "Rules:", "", "- first", "- second",
    ]  # fmt: skip


@pytest.mark.parametrize("shown", [detection_map, Recall])
def test_no_word_of_a_docstring_is_lost(docstrings, shown):
    text = inspect.getdoc(shown)
    lines = entries(docstrings, text, set(inspect.signature(shown).parameters))
    told = " ".join(lines).replace("**", "").replace("- ", " ")
    assert [word.strip(";,") for word in told.split()] == [
        word.strip(";,") for word in text.split()
    ]
