"""Which jobs were submitted for a run (`jobs/jobs.json`), and what became of them, where that can be known."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.plain_files import read_bytes
from pipeline.run_folder.files import write_json

JOBS = "jobs"  # below the run's folder: a folder a command, with submitit's files and the logs
_ASKED_SECONDS = 30.0
_LAST_BYTES = 1 << 20  # of a log, in which its last error is looked for
_WELL = frozenset({"COMPLETED", "PENDING", "RUNNING", "REQUEUED", "COMPLETING", "SUSPENDED"})


@dataclass(frozen=True)
class Submitted:
    """A job that was submitted: the engine's number of it, and the log of its errors (`*`: of every task)."""

    engine: str
    name: str
    number: str
    log: str


def record(run: Path, jobs: Sequence[Submitted]) -> None:
    """Keep what was submitted. Raises UserError if it cannot be written."""
    write_json(run / JOBS / "jobs.json", [asdict(job) for job in jobs])


def submitted(run: Path) -> list[Submitted]:
    """What was submitted last; nothing where that was not recorded, or cannot be read any more."""
    try:
        rows = json.loads(read_bytes(run / JOBS / "jobs.json"))
        found = [Submitted(**row) for row in rows]
    except (OSError, ValueError, TypeError):
        return []
    sound = all(isinstance(value, str) for job in found for value in asdict(job).values())
    return [job for job in found if sound and re.fullmatch(r"\d{1,18}", job.number)]


def alive(jobs: Sequence[Submitted]) -> list[Submitted]:
    """Those that wait or run, as far as this machine can tell."""
    queued = {
        line.strip() for line in _said("squeue", "--me", "--noheader", "--array", "--format=%F")
    }
    return [
        job
        for job in jobs
        if (job.number in queued if job.engine == "slurm" else _runs_here(int(job.number)))
    ]


def failures(jobs: Sequence[Submitted]) -> list[str]:
    """A line for each task of Slurm that failed: its job, log and reason."""
    by_number = {job.number: job for job in jobs if job.engine == "slurm"}
    if not by_number:
        return []
    asked = ("--noheader", "--parsable2", "--allocations", "--format=JobID,State")
    lines = []
    for line in _said("sacct", *asked, f"--jobs={','.join(by_number)}"):
        task, _, state = line.strip().partition("|")
        job, word = by_number.get(task.partition("_")[0]), state.split(" ")[0]
        if job is not None and word not in _WELL:
            log = Path(job.log.replace("*", task))
            lines.append(failed(job.name, task, log, error_in(log) or word))
    return lines


def failed(name: str, number: str, log: Path, reason: str) -> str:
    """The line for a job that failed."""
    return f"{name} (job {number}) failed: {reason.removeprefix('Error: ')}; its log is {log}"


def error_in(log: Path) -> str:
    """The last error of ours that a log has; empty where it has none, or cannot be read."""
    with contextlib.suppress(OSError), log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _LAST_BYTES))
        text = stream.read().decode(errors="replace")
        return next((line for line in text.splitlines()[::-1] if line.startswith("Error: ")), "")
    return ""


def require_recordable(run: Path) -> None:
    """Refuse a folder whose jobs' files could not be named. Raises UserError."""
    if "%" in str(run.absolute()):
        raise UserError(f"{run}: submitit and Slurm read % in a path; give a --run-dir without it")


def _runs_here(process: int) -> bool:
    """Whether a process of this machine is a job of submitit's."""
    try:
        return b"submitit.local" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def _said(*command: str) -> list[str]:
    """What a command of Slurm prints, by line; nothing where there is none, or it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASKED_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
