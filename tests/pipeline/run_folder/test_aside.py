"""Folders moved aside and taken back: nothing is lost, and other stages' folders stay where they are."""

from __future__ import annotations

import time

import pytest

from pipeline.errors import UserError
from pipeline.run_folder.aside import move_aside, moved_aside, take_back
from pipeline.run_folder.manifests import MANIFEST


@pytest.fixture
def folder(tmp_path):
    return stage(tmp_path / "bmn", "first")


def stage(path, text):
    path.mkdir(parents=True)
    (path / "model.pt").write_text(text)
    (path / MANIFEST).write_text("{}")
    return path


def text_of(path):
    return (path / "model.pt").read_text()


def test_a_folder_moves_beside_where_it_lay_under_the_time(folder):
    before = time.strftime("%Y%m%d-%H%M%S")
    aside = move_aside(folder)
    assert not folder.exists() and aside.parent == folder.parent and text_of(aside) == "first"
    name, _, stamp = aside.name.partition(".")
    assert name == "bmn" and before <= stamp <= time.strftime("%Y%m%d-%H%M%S")
    assert list(moved_aside(folder)) == [aside]


def test_the_latest_comes_first_also_of_one_second(folder, monkeypatch):
    monkeypatch.setattr("pipeline.run_folder.aside.time.strftime", lambda _: "20261126-101500")
    made = [move_aside(folder)]
    for text in ("second", "third"):
        stage(folder, text)
        made.append(move_aside(folder))
    monkeypatch.setattr("pipeline.run_folder.aside.time.strftime", lambda _: "20261126-101501")
    made.append(move_aside(stage(folder, "fourth")))
    assert len(set(made)) == 4
    assert list(moved_aside(folder)) == made[::-1]


def test_a_users_own_folder_is_none_that_was_moved_aside(folder):
    for name in ("bmn.old", "bmn.20261126", "bmn.20261126-101500.bak", "bmnx.20261126-101500"):
        stage(folder.with_name(name), "mine")
    folder.with_name("bmn.20261126-101500").write_text("a file")
    assert list(moved_aside(folder)) == []
    assert list(moved_aside(folder.parent / "nowhere/bmn")) == []


def test_it_is_taken_back_and_what_lies_there_moves_aside(folder):
    aside = move_aside(folder)
    stage(folder, "second")
    take_back(aside, folder)
    assert text_of(folder) == "first" and not aside.exists()
    (other,) = moved_aside(folder)
    assert text_of(other) == "second"
    take_back(other, folder)
    assert text_of(folder) == "second" and len(list(moved_aside(folder))) == 1


def test_it_is_taken_back_where_nothing_lies(folder):
    aside = move_aside(folder)
    take_back(aside, folder)
    assert text_of(folder) == "first" and list(moved_aside(folder)) == []


def test_other_stages_in_it_stay_where_they_are(folder):
    """Proposals lie in the folder of the network that made them, and are known by their own manifest."""
    stage(folder / "proposals", "proposals")
    (folder / "notes").mkdir()
    aside = move_aside(folder)
    assert text_of(folder / "proposals") == "proposals"
    assert sorted(path.name for path in folder.iterdir()) == ["proposals"]
    assert sorted(path.name for path in aside.iterdir()) == [MANIFEST, "model.pt", "notes"]
    (folder / "model.pt").write_text("second")
    take_back(aside, folder)
    assert text_of(folder) == "first" and text_of(folder / "proposals") == "proposals"
    (other,) = moved_aside(folder)
    assert text_of(other) == "second" and not (other / "proposals").exists()


def test_what_cannot_be_moved_is_said_and_stays(folder, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.rename", refuse)
    with pytest.raises(UserError, match=r"bmn\.\d{8}-\d{6}.*Permission denied"):
        move_aside(folder)
    assert text_of(folder) == "first"
