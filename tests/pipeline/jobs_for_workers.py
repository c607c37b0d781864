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
        return job + offset

    return handle
