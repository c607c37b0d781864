"""Whole files: what is written is complete or not there, whatever lay in its place."""

from __future__ import annotations

import errno
import json
import os

import pytest

from pipeline.errors import UserError
from pipeline.run_folder import files
from pipeline.run_folder.files import (
    atomic_path,
    remove,
    write_json,
    write_report,
    write_text,
)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"x": 1}
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"x": float("nan")})
    assert json.loads(path.read_text()) == {"x": 1}


def test_text_is_utf8_and_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    write_text(path, "dé\n")
    assert path.read_bytes() == b"d\xc3\xa9\n" and list(path.parent.iterdir()) == [path]


def test_what_can_neither_be_written_nor_cleaned_up_is_one_line(tmp_path, monkeypatch):
    """As on a disk the kernel has turned read-only while a file was open."""

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    with (
        pytest.raises(UserError, match=r"a\.txt: cannot be written .Read-only.*writable"),
        atomic_path(tmp_path / "a.txt") as temporary,
    ):
        temporary.write_text("half")
        monkeypatch.setattr(files.os, "replace", refused)
        monkeypatch.setattr(type(tmp_path), "unlink", refused)


def test_a_report_goes_into_a_pipe_and_through_a_link(tmp_path):
    """A device has to stay one: as root, a rename over /dev/null breaks the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # both ends: nothing waits for anybody
    write_report(pipe, {"x": 1})
    assert pipe.is_fifo() and json.loads(os.read(held, 1 << 16)) == {"x": 1}
    os.close(held)
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    for value in ({"x": 2}, {"x": 3}):  # the file is not there yet; it is
        write_report(link, value)
        assert json.loads(real.read_text()) == value and link.is_symlink()


def test_links_in_a_run_folder_are_replaced_not_followed(tmp_path):
    """A run folder from elsewhere could point at any file of the user's."""
    mine, link = tmp_path / "mine.txt", tmp_path / "results.json"
    mine.write_text("mine")
    link.symlink_to(mine)
    write_json(link, {"x": 1})
    assert mine.read_text() == "mine" and not link.is_symlink()


def test_what_is_not_there_is_removed_and_what_cannot_be_is_named(tmp_path):
    path = tmp_path / "a.json"
    remove(path)
    path.write_text("x")
    remove(path)
    assert not path.exists()
    path.mkdir()
    with pytest.raises(UserError, match=r"a\.json: cannot be written"):
        remove(path)
