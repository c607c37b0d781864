"""Which jobs a run needs: one a command that has work to do, and what it takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.runs.run import Run
from pipeline.runs.work import work_ahead


@dataclass(frozen=True)
class Job:
    """A command of ours as a job, or as an array of `tasks` that each run it; `gpus` are those of one task."""

    name: str
    words: tuple[str, ...]
    tasks: int = 1
    gpus: int = 0


def jobs_to_do(run: Run, words: Sequence[str], *, array: int, gpus: int) -> list[Job]:
    """The jobs of a run, each after those whose results it reads.

    `words` are the options and keys that every command is given. A training takes all `gpus`, through torchrun
    where they are several; a task that reads videos takes one, and there are `array` of them. Raises UserError
    for what a stage would refuse.
    """
    ahead = work_ahead(run)
    jobs = []
    for command in dict.fromkeys(stage.command for stage in ahead):
        trains = any(stage.command == command and stage.valuable for stage in ahead)
        wanted = gpus if trains else 0 if command == "eval" else min(gpus, 1)
        tasks = array if not trains and _reads_videos(run, command) else 1
        launched = (*_program(wanted), command, *words)
        jobs.append(Job(command, launched, tasks, wanted))
    return jobs


def _reads_videos(run: Run, command: str) -> bool:
    """Whether most of a command's work is decoding, which any number of processes share."""
    if command == "classify":
        return run.config.classify is not None and run.config.classify.decodes
    return command == "extract"


def _program(gpus: int) -> tuple[str, ...]:
    """How a command is started: by this Python, with a process a GPU."""
    several = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={gpus}")
    return (sys.executable, *(several if gpus > 1 else ()), "-m", "pipeline")
