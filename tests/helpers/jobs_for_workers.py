"""What the worker tests run in processes of their own (importable by name)."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time

from helpers.paths import code_paths
from helpers.processes import session
from pipeline.errors import UserError


def setup(offset):
    def handle(job, heartbeat):
        if job == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if job == "hang":
            time.sleep(600)
        if job == "full disk":
            raise UserError("no space")
        if job == "bad":
            raise ValueError("bad job")
        if job == "huge":
            raise MemoryError
        if job == "defect":
            raise KeyError("x")
        if job == "slow":
            for _ in range(6):
                time.sleep(0.5)
                heartbeat()
            return "slow"
        if job == "quiet":
            return quiet()
        return job + offset

    return handle


def quiet():
    """Work of three seconds that shows no progress."""
    print("begun", flush=True)
    for _ in range(60):
        time.sleep(0.05)
    return "done"


class Numbers:
    """Samples that are their keys; what a word among the keys does to the worker that reads it."""

    def __init__(self, given_up=()):
        self.given_up = given_up

    def video(self, key):
        return f"video {key}"

    def __getitem__(self, key):
        if key in self.given_up:
            return f"no {key}"
        if key == "quiet":
            return quiet()
        if key == "hang":
            time.sleep(600)
        if key == "crash":
            faulthandler.disable()  # pytest's, which was forked as well, would print
            os.kill(os.getpid(), signal.SIGSEGV)
        if key == "refuse":
            raise UserError("no such file")
        if key == "defect":
            raise KeyError("x")
        if key == "huge":
            raise MemoryError
        return key


def parent(script: str) -> subprocess.Popen[str]:
    """A process in a group of its own, which runs a script that starts workers."""
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env=code_paths(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_and_look(script: str) -> list[int]:
    """The processes that live on, some time after a script that said something was killed outright."""
    with parent(script) as process:
        assert process.stdout.readline()
        assert len(session(process.pid)) >= 3
        process.kill()
        until = time.monotonic() + 30
        while session(process.pid) and time.monotonic() < until:
            time.sleep(0.05)
        return session(process.pid)


def suspend(script: str, seconds: float) -> str:
    """What a script says in the end that is suspended for a while, once it has said something."""
    with parent(script) as process:
        assert process.stdout.readline() == "begun\n"
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGCONT)
        return process.stdout.read()
