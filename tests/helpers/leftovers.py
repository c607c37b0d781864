"""Temporary files as a killed process leaves them, and as an earlier version did."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from pipeline.run_folder.temporary import temporary_path

TWO_DAYS = 2 * 86400.0


@cache
def dead_process() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        return process.pid


def left_half_written(path: Path) -> Path:
    """What a process that was killed while it wrote `path` leaves."""
    ours = temporary_path(path)
    left = ours.with_name(ours.name.replace(f"-{os.getpid()}-", f"-{dead_process()}-"))
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half")
    return left


def aged(path: Path, seconds: float = TWO_DAYS) -> Path:
    """The file, last written so long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then), follow_symlinks=False)
    return path
