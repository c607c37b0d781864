"""What the worker tests run in processes of their own (importable by name)."""

from __future__ import annotations

import os
import signal
import time

from pipeline.errors import UserError


def setup(offset):
    def handle(job, beat):
        if job == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if job == "hang":
            time.sleep(600)
        if job == "full disk":
            raise UserError("no room")
        if job == "bad":
            raise ValueError("bad job")
        if job == "huge":
            raise MemoryError
        if job == "defect":
            raise KeyError("x")
        if job == "slow":
            for _ in range(6):
                time.sleep(0.5)
                beat()
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


class QuietSamples:
    """As `loading.Samples`."""

    def __getitem__(self, key):
        return quiet()

    def video(self, key):
        return "a"
