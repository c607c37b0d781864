"""The lock of a folder: one process at a time, a dead one holds nothing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.leftovers import left_half_written
from helpers.paths import code_paths

from pipeline.errors import UserError
from pipeline.run_folder import lock
from pipeline.run_folder.lock import linked_folders, locked

HOLD = """
import sys, time
from pathlib import Path
from pipeline.run_folder.lock import locked

with locked(*map(Path, sys.argv[1:])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def another_holds(*folders: Path):
    """Another process holds folders meanwhile; its id."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, *map(str, folders)],
        stdout=subprocess.PIPE,
        text=True,
        env=code_paths(),
    )
    try:
        assert holder.stdout.readline() == "held\n"
        yield holder.pid
    finally:
        holder.kill()
        holder.communicate()


def test_a_second_process_is_refused_and_a_dead_one_does_not_block(tmp_path):
    with (
        another_holds(tmp_path) as process,
        pytest.raises(UserError, match=f"in use by process {process} on .* since "),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be"), locked(tmp_path / "file" / "run"):
        pass


def test_the_folder_is_made_and_what_a_killed_process_left_beside_the_stages_goes(tmp_path):
    run = tmp_path / "runs" / "new"
    with locked(run):
        left = left_half_written(run / "config.yaml")
    (run / ".notes.tmp").write_text("mine")
    with locked(run):
        assert not left.exists()
    assert {path.name for path in run.iterdir()} == {".lock", ".notes.tmp"}


def test_it_is_free_again_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), locked(tmp_path):
        raise RuntimeError
    with locked(tmp_path):
        pass


def test_several_are_held_and_a_held_one_again(tmp_path):
    """By another path, too: closing one file would give away the lock that another has."""
    one, two, link = tmp_path / "one", tmp_path / "two", tmp_path / "link"
    link.symlink_to(one)
    with locked(one, two):
        with locked(link, one):
            pass
        for folder in (one, two):
            script = [sys.executable, "-c", HOLD, str(folder)]
            refused = subprocess.run(
                script, capture_output=True, text=True, env=code_paths(), check=False
            )
            assert f"in use by process {os.getpid()} on " in refused.stderr
    with another_holds(one, two):
        pass


def test_of_several_none_is_held_where_one_cannot_be(tmp_path):
    free, taken = tmp_path / "free", tmp_path / "taken"
    with another_holds(taken):
        with pytest.raises(UserError, match="taken: in use by"), locked(free, taken):
            pass
        with another_holds(free):
            pass


def answers(monkeypatch, number):
    def lockf(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "lockf", lockf)


@pytest.mark.parametrize(
    "number", [errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.get
)
def test_a_file_system_without_locks_is_no_other_process(tmp_path, monkeypatch, capsys, number):
    answers(monkeypatch, number)
    for _ in range(2):
        with locked(tmp_path):
            assert (tmp_path / ".lock").exists()
    said = capsys.readouterr().err
    assert said.count("has no locks") == 1 and str(tmp_path) in said, "once"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EAGAIN], ids=errno.errorcode.get)
def test_either_answer_means_that_it_is_held(tmp_path, monkeypatch, number):
    (tmp_path / ".lock").write_text("process 7 on host since noon")
    answers(monkeypatch, number)
    with pytest.raises(UserError, match="in use by process 7 on host since noon"), locked(tmp_path):
        pass


def test_another_failure_is_not_told_as_a_process(tmp_path, monkeypatch):
    answers(monkeypatch, errno.EIO)
    with pytest.raises(UserError, match=r"cannot be used .*Input/output error"), locked(tmp_path):
        pass


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder"])
def test_what_is_no_file_is_neither_followed_nor_waited_for(tmp_path, kind):
    run, mine = tmp_path / "run", tmp_path / "mine.txt"
    run.mkdir()
    path = run / ".lock"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(mine)
        if kind == "link":
            mine.write_text("mine")
    with pytest.raises(UserError, match=r"run/\.lock: is not a regular file"), locked(run):
        pass
    assert mine.exists() == (kind == "link") and (kind != "link" or mine.read_text() == "mine")
    assert not lock._held


def test_a_device_is_not_written_to(tmp_path):
    try:
        os.mknod(tmp_path / ".lock", 0o600 | 0o020000, os.makedev(1, 3))
    except OSError:
        pytest.skip("this user may not make devices")
    with pytest.raises(UserError, match=r"\.lock: "), locked(tmp_path):
        pass


@pytest.fixture
def runs(tmp_path):
    """Run a with its stages; run b, whose features are a's."""
    a, b = tmp_path / "a", tmp_path / "b"
    (a / "extract/features").mkdir(parents=True)
    (a / "bmn/proposals").mkdir(parents=True)
    b.mkdir()
    with locked(a):
        (a / "config.yaml").touch()
    (tmp_path / ".lock").touch()  # another program's
    return a, b


def test_a_folder_of_its_own_needs_no_other_lock(runs):
    a, b = runs
    (a / "extract/again").symlink_to(a / "extract/features")
    (a / "extract/a file").symlink_to(a / ".lock")
    (a / "extract/nowhere").symlink_to(a / "nothing")
    assert linked_folders(a / "extract", a) == []
    assert linked_folders(b / "extract", b) == []


@pytest.mark.parametrize("shared", ["extract", "extract/features"])
def test_two_runs_do_not_write_to_a_folder_that_they_share(runs, shared):
    """Nor does the run that it belongs to, which locks itself alone."""
    a, b = runs
    (b / shared).parent.mkdir(exist_ok=True)
    (b / shared).symlink_to(a / shared)
    c = b.with_name("c")
    c.mkdir()
    (c / "extract").symlink_to(b / "extract")
    folders = linked_folders(b / "extract", b)
    assert folders == [a, a / shared]
    with another_holds(a), pytest.raises(UserError, match="/a: in use by"), locked(b, *folders):
        pass
    for other in (a, *linked_folders(c / "extract", c)):
        if other.is_relative_to(a):
            with (
                another_holds(b, *folders),
                pytest.raises(UserError, match="in use by"),
                locked(other),
            ):
                pass


def test_a_shared_folder_of_no_run_is_locked_itself(runs):
    a, b = runs
    outside = a.with_name("features of all")
    outside.mkdir()
    for run in (a, b):
        (run / "extract").mkdir(exist_ok=True)
        (run / "extract/shared").symlink_to(outside)
        assert linked_folders(run / "extract", run) == [outside]


def test_a_run_folder_that_is_a_link_itself_is_one_run(runs):
    a, b = runs
    b.rmdir()
    b.symlink_to(a)
    assert linked_folders(b / "extract", b) == []
    with another_holds(a), pytest.raises(UserError, match="in use by"), locked(b):
        pass


SHARE = HOLD.replace("sys.argv[1:]))", "sys.argv[1:]), shared=True)")


def test_those_that_share_hold_it_together_and_one_alone_is_refused(tmp_path):
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", SHARE, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=code_paths(),
        )
        for _ in range(2)
    ]
    try:
        assert [holder.stdout.readline() for holder in holders] == ["held\n"] * 2
        with locked(tmp_path, shared=True):
            pass
        with pytest.raises(UserError) as refused, locked(tmp_path):
            pass
        for holder in holders:
            assert f"process {holder.pid} on " in str(refused.value)
        holders[0].kill()
        holders[0].wait()
        with pytest.raises(UserError) as refused, locked(tmp_path):
            pass
        assert f"process {holders[0].pid} on " not in str(refused.value)
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()
    with locked(tmp_path):
        pass


def test_one_that_would_share_what_another_holds_alone_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_SHARE_SECONDS", 0.2)
    with (
        another_holds(tmp_path) as process,
        pytest.raises(UserError, match=f"in use by process {process} on "),
        locked(tmp_path, shared=True),
    ):
        pass


def test_those_that_share_are_told_nothing_of_a_file_system_without_locks(
    tmp_path, monkeypatch, capsys
):
    answers(monkeypatch, errno.ENOLCK)
    with locked(tmp_path, shared=True):
        pass
    assert capsys.readouterr().err == ""
