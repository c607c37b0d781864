"""`tada-loc --help`, the whole process: heavy imports where they are used, or at the top."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Form, Row, Work, compare

STAGE = "tada-loc --help"
# What the commands need, imported when the program starts.
HEAVY = "import torch, torchvision, numpy, pandas, scipy, h5py, av, pydantic, yaml, matplotlib\n"
HELP = "from pipeline.cli.commands import main\nmain(['--help'], standalone_mode=False)\n"
# Of the process itself: what wait4 reports begins with the size of the one that started it.
PEAK = (
    "import pathlib, re, sys\n"
    "status = pathlib.Path('/proc/self/status')\n"
    "text = status.read_text() if status.exists() else ''\n"
    "print(''.join(re.findall(r'VmHWM:\\s+(\\d+)', text)) or 0, file=sys.stderr)\n"
)


def run(quick: bool) -> list[Row]:
    """CPU seconds of the process; the texts are compared."""
    baseline, ours = ("import numpy\n" if quick else HEAVY) + HELP, HELP
    rows = compare(
        Work(
            STAGE,
            "whole process",
            lambda one, other: float(one != other),
            "(1: another text)",
        ),
        Form("libraries imported at the top", lambda: start(baseline)[0]),
        [Form("imported where used", lambda: start(ours)[0])],
        runs=1 if quick else 3,
        clock=_children_seconds,
    )
    peaks = {"baseline_peak": start(baseline)[1] or None, "our_peak": start(ours)[1] or None}
    return [replace(row, **peaks) for row in rows]


def start(code: str) -> tuple[str, float]:
    """Run Python code in a process of its own: what it prints, and its peak memory in bytes."""
    result = subprocess.run(
        [sys.executable, "-c", code + PEAK],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    return result.stdout, 1024.0 * int(result.stderr.split()[-1])


def _children_seconds() -> float:
    """CPU seconds of all processes started so far that have ended."""
    times = os.times()
    return times.children_user + times.children_system
