"""Temporary files: named after their writer, and cleared only where that one is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.leftovers import TWO_DAYS, aged, left_half_written

from evaluation import json_files
from feature_extraction import whole_file
from pipeline.run_folder import temporary
from pipeline.run_folder.temporary import clear_temporary, temporary_path

SAYS = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="the system says nothing of processes"
)
NAMERS = {
    "pipeline": temporary_path,
    "feature_extraction": whole_file.temporary_path,
    "evaluation": json_files._temporary,
}


@pytest.mark.parametrize("namer", NAMERS.values(), ids=NAMERS)
@pytest.mark.parametrize(
    "name", ["a.json", "x" * 255, "é" * 127, "\udcff" * 200, "a.tada-b-1-c.tmp"]
)
def test_every_name_fits_says_its_writer_and_comes_once(tmp_path, monkeypatch, namer, name):
    """The libraries' as well: one rule finds what any of them left."""
    first, second = namer(tmp_path / name), namer(tmp_path / name)
    assert first != second and first.parent == tmp_path
    for path in (first, second):
        assert len(os.fsencode(path.name)) <= 255
        path.write_text("half")
    clear_temporary(tmp_path)
    assert first.exists() and second.exists(), "this process lives, and may be writing them"
    monkeypatch.setattr(temporary, "is_gone", lambda pid, written: pid == os.getpid())
    clear_temporary(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("host", ["my-host.domain", "h" * 64, "hé/..\n", ""])
def test_any_name_of_a_host_will_do(tmp_path, monkeypatch, host):
    monkeypatch.setattr("socket.gethostname", lambda: host)
    temporary.this_host.cache_clear()
    try:
        for namer in NAMERS.values():
            namer(tmp_path / "a").write_text("half")
        monkeypatch.setattr(temporary, "is_gone", lambda pid, written: True)
        clear_temporary(tmp_path)
        assert not list(tmp_path.iterdir())
    finally:
        temporary.this_host.cache_clear()


def test_what_a_killed_process_left_goes_at_any_depth(tmp_path):
    left = [left_half_written(tmp_path / name) for name in ("a.json", "b/c/d.h5")]
    clear_temporary(tmp_path, below=False)
    assert [path.exists() for path in left] == [False, True]
    clear_temporary(tmp_path)
    assert not left[1].exists() and left[1].parent.is_dir()
    clear_temporary(tmp_path / "not there")


NOT_OURS = [
    "notes.tmp", ".notes.tmp", "a.1.tmp", ".a.b.tmp", ".tmp-0.h5", ".tmp-0123456789abcdef.h5.old",
    ".tmp-0123456789ABCDEF.h5", ".a.tada-host-1.tmp", ".a.tada-host-1-0123456.tmp", "tada.tmp",
    "a.tada-host-1-01234567.tmp", ".a.tada-host-1-01234567.tmp.bak", ".a.tada-host-x-01234567.tmp",
]  # fmt: skip


@pytest.mark.parametrize("name", NOT_OURS)
def test_files_with_other_names_are_not_ours(tmp_path, name):
    path = tmp_path / name
    path.write_text("mine")
    aged(path)
    clear_temporary(tmp_path)
    assert path.read_text() == "mine"


OF_OTHERS = [".a.tada-another.1f-1-01234567.tmp", ".model.pt.123.tmp", ".tmp-0123456789abcdef.h5"]


@pytest.mark.parametrize("name", OF_OTHERS)
def test_of_another_host_and_an_earlier_version_only_what_is_old_goes(tmp_path, name):
    path = tmp_path / name
    path.write_text("half")
    clear_temporary(tmp_path)
    assert path.exists(), "its process may live"
    aged(path)
    clear_temporary(tmp_path)
    assert not path.exists()


def test_links_are_neither_followed_nor_removed(tmp_path):
    other, run = tmp_path / "other", tmp_path / "run"
    left = left_half_written(other / "a")
    run.mkdir()
    (run / "folder").symlink_to(other)
    link = run / left.name
    link.symlink_to(left)
    clear_temporary(run)
    assert left.exists() and link.is_symlink()


def test_a_folder_and_a_pipe_with_such_a_name_stay(tmp_path):
    name = left_half_written(tmp_path / "a").name
    (tmp_path / "f").mkdir()
    os.mkfifo(tmp_path / "f" / name)
    (tmp_path / "g" / name).mkdir(parents=True)
    clear_temporary(tmp_path)
    assert (tmp_path / "f" / name).exists() and (tmp_path / "g" / name).is_dir()
    assert not (tmp_path / name).exists()


def test_what_cannot_be_removed_stays(tmp_path, monkeypatch):
    left = left_half_written(tmp_path / "a")

    def refused(path):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(temporary.os, "unlink", refused)
    clear_temporary(tmp_path)
    assert left.exists()


@SAYS
def test_a_process_that_only_has_the_id_now_does_not_keep_a_file(tmp_path):
    mine = temporary_path(tmp_path / "a")
    mine.write_text("half")
    aged(mine, 3600)
    clear_temporary(tmp_path)
    assert mine.exists(), "clocks of file servers may be wrong by hours"
    # Written long before this process, which has its id, was started.
    aged(mine, TWO_DAYS)
    clear_temporary(tmp_path)
    assert not mine.exists()


@SAYS
def test_a_dead_process_whose_parent_has_not_lookedis_gone(tmp_path):
    """As in a container whose first process collects no others."""
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        child.stdout.read()
        while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)
        ours = temporary_path(tmp_path / "a")
        left = ours.with_name(ours.name.replace(f"-{os.getpid()}-", f"-{child.pid}-"))
        left.write_text("half")
        clear_temporary(tmp_path)
        assert not left.exists()


def test_the_users_of_the_names_use_them(tmp_path, monkeypatch):
    """Killed just before the rename, each writer leaves a file that is found."""
    from evaluation.json_files import write_result_file
    from feature_extraction.store import FeatureMeta, write_features
    from pipeline.run_folder.files import write_text

    meta = FeatureMeta("a", 7.0, 8, 4, 8, 32, 1.0, "tsn", "0", "float32")
    writers = [
        lambda: write_text(tmp_path / "a.txt", "x"),
        lambda: write_features(tmp_path / "a.h5", np.ones((2, 3), np.float32), meta),
        lambda: write_result_file(tmp_path / "a.json", {}),
    ]
    for write in writers:
        child = os.fork()
        if not child:
            os.replace = lambda *_: os._exit(0)
            write()
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert len(list(tmp_path.iterdir())) == 1
        clear_temporary(tmp_path)
        assert not list(tmp_path.iterdir())
