"""Files with an address that are read whole: a copy is what the store has now, or is reported not to be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.configuration.reading import find_config, load_config
from pipeline.configuration.sections.urls import Url
from pipeline.data.annotations import annotation_files, load_annotations
from pipeline.data.remote import copies, stores
from pipeline.data.remote.copies import local_paths
from pipeline.errors import UserError

TABLE = "video,start,end,label,subset\na,1,2,x,training\nb,1,2,x,validation\n"


def settings(tmp_path: Path, annotations: object = "memory://d/own.csv", **more: object):
    given = {"annotations": annotations, "videos": str(tmp_path), "cache": str(tmp_path / "cache")}
    overrides = {f"dataset.{key}": value for key, value in (given | more).items()}
    return load_config(find_config("small"), overrides).dataset


@pytest.fixture
def fetched(monkeypatch):
    """The addresses that were copied, in order."""
    asked: list[str] = []

    def copy(url: str, target: Path) -> None:
        asked.append(url)
        stores.copy(url, target)

    monkeypatch.setattr(copies, "copy", copy)
    return asked


def test_annotations_of_an_address_are_those_of_the_file(memory, tmp_path, fetched):
    (tmp_path / "own.csv").write_text(TABLE)
    memory.pipe("/d/own.csv", TABLE.encode())
    here = load_annotations(settings(tmp_path, str(tmp_path / "own.csv")))
    remote = settings(tmp_path)
    for _ in range(2):
        there = load_annotations(remote)
        assert there.annotations.equals(here.annotations) and there.heads == here.heads
    assert fetched == ["memory://d/own.csv"]  # what is as it was is not copied again
    (path,) = annotation_files(remote).values()
    assert path == tmp_path / "cache/files/memory/d/own.csv"

    memory.pipe("/d/own.csv", TABLE.replace("b,1,2", "b,1,3").encode())  # as many bytes
    assert list(load_annotations(remote).annotations["end"]) == [2.0, 3.0]
    path.write_text("cut")  # somebody's hand
    assert list(load_annotations(remote).annotations["end"]) == [2.0, 3.0]
    assert len(fetched) == 3


def test_lists_and_folders_of_addresses(memory, tmp_path, fetched):
    first, second = TABLE.splitlines()[1:]
    head = TABLE.splitlines()[0].removesuffix(",subset")
    rows = [row.rpartition(",")[0] for row in (first, second)]
    for name, row in zip(("train", "test"), rows, strict=True):
        memory.pipe(f"/d/{name}.csv", f"{head}\n{row}\n".encode())
    (tmp_path / "train.csv").write_text(f"{head}\n{rows[0]}\n")
    two = [str(tmp_path / "train.csv"), "memory://d/test.csv"]  # one here, one there
    found = load_annotations(settings(tmp_path, two)).videos
    assert dict(zip(found["video"], found["subset"], strict=True)) == {
        "a": "training", "b": "validation",
    }  # fmt: skip

    for number in range(3):
        text = "1.0\t2.0\tx\n"
        memory.pipe(f"/labels/{number}.txt", text.encode())
    memory.pipe("/labels/0.mp4", b"a video is not copied")
    remote = settings(tmp_path, "memory://labels", format="audacity")
    assert sorted(load_annotations(remote).videos["video"]) == ["0", "1", "2"]
    memory.rm("/labels/2.txt")
    memory.pipe("/labels/1.txt", b"1.0\t2.5\tx\n")
    fetched.clear()
    assert sorted(load_annotations(remote).videos["video"]) == ["0", "1"]
    assert fetched == ["memory://labels/1.txt"]


def test_a_store_that_does_not_answer_is_said_and_one_that_refuses_ends_it(web, tmp_path, capsys):
    server, folder = web
    (folder / "own.csv").write_text(TABLE)
    remote = settings(tmp_path, f"{server.url}/own.csv")
    load_annotations(remote)
    server.busy = 1000
    assert len(load_annotations(remote).videos) == 2
    said = capsys.readouterr().err
    assert f"{server.url}/own.csv: cannot be read" in said and "using the existing copy in" in said
    server.busy, server.refuses = 0, True
    with pytest.raises(UserError, match="own.csv: the store refuses"):
        load_annotations(remote)
    server.refuses, server.busy = False, 1000
    with pytest.raises(UserError, match="new.csv: cannot be read"):  # of it there is no copy
        load_annotations(settings(tmp_path, f"{server.url}/new.csv"))


def test_copies_stop_at_the_limit(memory, tmp_path):
    memory.pipe("/d/own.csv", TABLE.encode())
    with pytest.raises(UserError, match=r"memory://d/own.csv: .*raise dataset.cache_size"):
        load_annotations(settings(tmp_path, cache_size=5e-8))
    load_annotations(settings(tmp_path, cache_size=7e-8))
    memory.pipe("/d/other.csv", TABLE.encode())
    with pytest.raises(UserError, match=r"memory://d/other.csv: .*remove from it"):
        load_annotations(settings(tmp_path, "memory://d/other.csv", cache_size=7e-8))


def test_a_copy_that_comes_short_is_not_taken(memory, tmp_path, monkeypatch):
    memory.pipe("/d/own.csv", TABLE.encode())
    monkeypatch.setattr(copies, "copy", lambda url, target: target.write_text("video,start"))
    with pytest.raises(UserError, match="changed while it was copied"):
        load_annotations(settings(tmp_path))
    assert not any((tmp_path / "cache").rglob("*.csv"))


def test_notes_that_are_damaged_are_made_again(memory, tmp_path, fetched):
    memory.pipe("/d/own.csv", TABLE.encode())
    remote = settings(tmp_path)
    for text in ("{", "[]", json.dumps({"files": {"": {"size": "x"}}})):
        load_annotations(remote)
        (note,) = (tmp_path / "cache" / "notes").iterdir()
        note.write_text(text)
    load_annotations(remote)
    assert len(fetched) == 4


def test_an_error_in_a_copy_names_a_path_that_tells_the_address(memory, tmp_path):
    memory.pipe("/d/own.csv", TABLE.replace("1,2,x,training", "1,two,x,training").encode())
    with pytest.raises(UserError, match=r"files/memory/d/own.csv.*two"):
        load_annotations(settings(tmp_path))


def test_paths_are_left_alone(tmp_path):
    assert local_paths([tmp_path / "a"], settings(tmp_path), None) == [tmp_path / "a"]
    assert not (tmp_path / "cache").exists()
    with pytest.raises(ValueError, match="step up"):
        Url("memory://d/../../etc/passwd")
