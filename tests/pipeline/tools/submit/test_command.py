"""A command in a job: its environment, how it ends, and how it is asked to stop."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time

import pytest

from pipeline.tools.submit import command
from pipeline.tools.submit.command import CommandFailed, StageCommand

# Writes that it listens, and then each SIGTERM; ends by itself at the second, or on request.
LISTENING = """
import pathlib, signal, sys, time
said = pathlib.Path("said")
def note(number, frame):
    with said.open("a") as stream: stream.write("TERM\\n")
    if {ends}: sys.exit(143)
signal.signal(signal.SIGTERM, note)
said.write_text("listening\\n")
for _ in range(600): time.sleep(0.1)  # a signal just before a sleep is seen after it
"""


def listening(folder, *, ends: bool = True) -> StageCommand:
    return StageCommand((sys.executable, "-c", LISTENING.format(ends=ends)), folder, {})


def when_it_listens(folder, act) -> threading.Thread:
    def wait() -> None:
        while not (folder / "said").exists() or not (folder / "said").read_text():
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_its_environment_is_the_job_s_but_for_what_is_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("GONE", "1")
    words = ("sh", "-c", 'echo "$KEPT ${GONE-unset} $NEW" > found; pwd >> found')
    StageCommand(words, tmp_path, {"GONE": None, "NEW": "a b"})()
    assert (tmp_path / "found").read_text() == f"1 unset a b\n{tmp_path}\n"


def test_an_exit_code_is_an_error(tmp_path):
    with pytest.raises(CommandFailed, match="exit code 3"):
        StageCommand(("sh", "-c", "exit 3"), tmp_path, {})()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_it_is_asked_to_stop_once_however_often_the_job_is(tmp_path, monkeypatch):
    def twice() -> None:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)

    monkeypatch.setattr(command, "_TICK", 1.0)
    thread = when_it_listens(tmp_path, twice)
    with pytest.raises(CommandFailed, match="exit code 143"):
        listening(tmp_path)()
    thread.join()
    assert (tmp_path / "said").read_text() == "listening\nTERM\n"


def test_the_signal_of_a_job_whose_time_is_over_does_not_reach_it(tmp_path):
    words = (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGUSR2)")
    StageCommand(words, tmp_path, {})()
    assert signal.SIGUSR2 not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_checkpoint_stops_it_and_is_the_same_command(tmp_path):
    job, found = listening(tmp_path), []
    thread = when_it_listens(tmp_path, lambda: found.append(job.checkpoint()))
    with pytest.raises(CommandFailed):
        job()
    thread.join()
    (again,) = found
    assert (again.function.words, again.function.folder) == (job.words, tmp_path)
    assert pickle.loads(pickle.dumps(job)).words == job.words  # noqa: S301


def test_what_does_not_stop_in_time_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_STOPPING_SECONDS", 0.3)
    job = listening(tmp_path, ends=False)
    thread = when_it_listens(tmp_path, job.checkpoint)
    with pytest.raises(CommandFailed, match="exit code -9"):
        job()
    thread.join()


def test_a_job_of_slurm_that_is_asked_to_stop_waits_for_its_end(tmp_path, monkeypatch):
    """One that is preempted must not fail by itself."""
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setattr(command, "_STAYING_SECONDS", 1.5)
    thread = when_it_listens(tmp_path, lambda: os.kill(os.getpid(), signal.SIGTERM))
    begun = time.monotonic()
    with pytest.raises(CommandFailed):
        listening(tmp_path)()
    assert time.monotonic() - begun > 1.5
    thread.join()
    (tmp_path / "said").unlink()
    with pytest.raises(CommandFailed):  # but one that fails by itself fails at once
        StageCommand(("false",), tmp_path, {})()
