"""A bar is drawn where someone sees it: on a terminal, and in a notebook, which has none."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from pipeline import progress
from pipeline.progress import Progress


@pytest.mark.parametrize("notebook", [False, True])
def test_a_bar_is_drawn_in_a_notebook_and_not_in_a_file(notebook, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    if notebook:
        monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
        monkeypatch.setattr(progress, "NOTEBOOK_SECONDS", 0.0)
    with Progress(60, "match", unit="second") as bar:
        bar.update(60)
    shown = capsys.readouterr()
    assert ("match" in shown.err) == notebook and not shown.out


def test_what_is_done_in_a_moment_shows_no_bar_in_a_notebook(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    with Progress(60, "match", unit="second") as bar:
        bar.update(60)
    assert capsys.readouterr().err == ""
