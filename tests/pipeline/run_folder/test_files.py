"""Whole files: what is written is complete or not there, whatever lay in its place."""

from __future__ import annotations

import errno
import json
import os
import stat

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


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_rename_is_put_on_disk_where_the_file_system_can(tmp_path, monkeypatch, number):
    synced = []
    real = os.fsync

    def fsync(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append("folder" if is_folder else "file")
        if is_folder and len(synced) > 2:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)
    write_text(tmp_path / "a.txt", "x")
    assert synced == ["file", "folder"]
    if number == errno.EIO:
        with pytest.raises(UserError, match=r"a\.txt: cannot be written .Input/output error"):
            write_text(tmp_path / "a.txt", "y")
    else:
        write_text(tmp_path / "a.txt", "y")
    assert (tmp_path / "a.txt").read_text() == "y"


def test_a_folder_that_may_not_be_read_is_written_all_the_same(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files.os, "open", refused)
    files.sync_folder(tmp_path)
