"""Jobs of this machine, one after another, and ended with the command that started them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UserError
from pipeline.processes.stopping import unbroken
from pipeline.progress import say
from pipeline.tools.submit.jobs import Job
from pipeline.tools.submit.record import Submitted, error_in, failed, record
from pipeline.tools.submit.resources import Resources
from pipeline.tools.submit.slurm import start

if TYPE_CHECKING:
    from submitit import Job as Handle

VISIBLE = "CUDA_VISIBLE_DEVICES"
_TICK, _AGAIN_SECONDS = 0.2, 2.0


def work_through(
    run: Path,
    jobs: Sequence[Job],
    resources: Resources,
    before: Sequence[Submitted],
    *,
    dealt: bool,
) -> None:
    """Do jobs in order, the tasks of one at the same time, to the end of the last.

    They are recorded after those `before`. GPUs are `dealt` to them, or all of them see all. Raises UserError for the first job that fails.
    """
    done: list[Submitted] = []
    devices = [_devices(job) if dealt else [_as_it_is()] * job.tasks for job in jobs]
    for job, variables in zip(jobs, devices, strict=True):
        begun = time.monotonic()
        # What asks this process to stop is not for them: they are asked below, and then end in order.
        with unbroken(signal.SIGINT, signal.SIGHUP):
            handles = start("local", run, job, resources, variables)
        try:
            done += [_submitted(job, handle) for handle in handles]
            record(run, [*before, *done])
            which = "its log" if len(handles) == 1 else f"{len(handles)} tasks, their logs"
            say(
                f"{job.name}: started; {which}: {' '.join(each.log for each in done[-job.tasks :])}"
            )
            while not all(handle.done() for handle in handles):
                time.sleep(_TICK)
        except BaseException:
            _end(handles)
            raise
        lines = [line for handle in handles if (line := _failure(job, handle))]
        if lines:
            raise UserError(f"{lines[0]}{_and_more(lines)}; run the same command again to resume")
        say(f"{job.name}: done in {time.monotonic() - begun:.0f} s")


def _submitted(job: Job, handle: Handle[None]) -> Submitted:
    return Submitted("local", job.name, handle.job_id, str(handle.paths.stderr))


def _and_more(lines: Sequence[str]) -> str:
    return f" (and {len(lines) - 1} more tasks of it)" if len(lines) > 1 else ""


def _failure(job: Job, handle: Handle[None]) -> str:
    """What is reported about a task that failed; empty for one that ended well."""
    log = handle.paths.stderr
    if not handle.paths.result_pickle.is_file():
        return failed(job.name, handle.job_id, log, "its process was killed, or its time ran out")
    error = handle.exception()
    if error is None:
        return ""
    reason = error_in(log) or next(
        (line for line in str(error).splitlines()[::-1] if "exit code" in line), "an exception"
    )
    return failed(job.name, handle.job_id, log, reason)


def _end(handles: Sequence[Handle[None]]) -> None:
    """Ask jobs to stop, and wait until they have.

    Asked again and again: submitit drops a signal that comes while it starts, and a command takes the first only.
    """
    say("stopping the jobs, which write their checkpoints ...")
    asked = 0.0
    while not all(handle.done() for handle in handles):
        if time.monotonic() - asked > _AGAIN_SECONDS:
            asked = time.monotonic()
            for handle in handles:
                if not handle.done():
                    with suppress(ProcessLookupError):
                        os.kill(int(handle.job_id), signal.SIGTERM)
        time.sleep(_TICK)


def _as_it_is() -> Mapping[str, str | None]:
    """GPUs as this process sees them; submitit would hide them."""
    return {VISIBLE: os.environ.get(VISIBLE)}


def _devices(job: Job) -> list[Mapping[str, str | None]]:
    """GPUs of their own for the tasks of a job. Raises UserError if there are too few."""
    if not job.gpus:
        return [{VISIBLE: ""}] * job.tasks
    visible, wanted = os.environ.get(VISIBLE), job.gpus * job.tasks
    there = visible.split(",") if visible else [str(number) for number in range(_count())]
    if len(there) < wanted:
        raise UserError(
            f"{job.name}: {job.tasks} x {job.gpus} GPUs are asked for and this machine has {len(there)}; use fewer "
            "with --gpus or --array, or leave --gpus out so that all tasks see all GPUs"
        )
    pieces = [there[first : first + job.gpus] for first in range(0, wanted, job.gpus)]
    return [{VISIBLE: ",".join(piece)} for piece in pieces]


def _count() -> int:
    """How many GPUs the driver names."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    done = subprocess.run([program, "-L"], capture_output=True, text=True)
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines())
