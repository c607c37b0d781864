"""How deaths are reported, and waits on pipes that have an end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest

from pipeline.processes import ends
from pipeline.processes.ends import death, killed_after, let_go, receive, send


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, "(exit code 0)"),
        (1, "(exit code 1)"),
        (-signal.SIGKILL, "(SIGKILL): memory most likely ran out"),
        (-signal.SIGBUS, "docker run --shm-size=1g"),
        (-signal.SIGSEGV, "(SIGSEGV): a library it uses crashed"),
        (-signal.SIGABRT, "(SIGABRT): a library"),
        (-signal.SIGTERM, "(SIGTERM)"),
        (-signal.SIGRTMIN - 3, "(signal 37)"),
        (None, "does not end"),
    ],
)
def test_a_death_is_told_with_its_cause_and_what_helps(code, said):
    assert said in death(code) and "\n" not in death(code)
    for fix in ("--workers 0", "fewer --workers"):
        assert (fix in death(code)) <= (code in (-signal.SIGKILL, -signal.SIGBUS))


def deaf(pipe):
    signal.pause()


def stuck(pipe):
    os.write(pipe.fileno(), b"\0\0\1\0half")  # the beginning of 256 bytes
    signal.pause()


@pytest.fixture
def child():
    """A process that was given one end of a pipe; the other end."""
    started = []

    def start(target):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=target, args=(theirs,))
        process.start()
        theirs.close()
        started.append(process)
        return ours, process

    yield start
    for process in started:
        process.kill()
        process.join()


def test_sending_to_a_process_that_takes_nothing_ends(child):
    pipe, process = child(deaf)
    send(pipe, process, b"small", 0.5)
    with pytest.raises(OSError, match=r".+"):
        send(pipe, process, bytes(10_000_000), 0.5)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL


def test_hearing_half_a_message_ends(child):
    pipe, process = child(stuck)
    assert pipe.poll(30)
    with pytest.raises((EOFError, OSError)):
        receive(pipe, process, 0.5)


def test_a_wait_in_time_kills_nothing(child):
    _, process = child(deaf)
    with killed_after(process, 600):
        pass
    with killed_after(process, 0.2):
        pass
    time.sleep(0.5)
    assert process.is_alive()


def test_without_a_thread_to_be_had_nobody_watches(child, monkeypatch):
    def refused(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ends.threading.Thread, "start", refused)
    _, process = child(deaf)
    with killed_after(process, 0.1):
        pass


def test_nobody_waits_at_exit_for_a_process_that_no_kill_ends(child):
    _, process = child(deaf)
    assert process in multiprocessing.active_children()
    let_go(process)
    assert process not in multiprocessing.active_children()
