"""Jobs queued with Slurm, each after the one before it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.tools.submit.command import StageCommand
from pipeline.tools.submit.jobs import Job
from pipeline.tools.submit.record import JOBS, Submitted, record
from pipeline.tools.submit.resources import Resources, parameters

if TYPE_CHECKING:
    from submitit import Job as Handle

REQUEUES = 20  # times that a job whose time is over is queued again


def require_submitit() -> None:
    """Raises UserError if submitit is not installed."""
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise UserError(
            "submit: submitit is not installed; pip install submitit (the extra submit), or use --dry-run"
        ) from None


def queue(
    run: Path, jobs: Sequence[Job], resources: Resources, before: Sequence[Submitted]
) -> list[Submitted]:
    """Queue jobs, each for when the one before it has ended well: a run folder is trained in by one at a time.

    They are recorded after those `before`. Raises UserError if there is no Slurm, or it refuses a job; what was
    queued until then stays, and is named.
    """
    for program in ("sbatch", "srun"):
        if shutil.which(program) is None:
            raise UserError(
                f"{program}: not found, so Slurm is not on this machine; run this on a login node, or use --engine local"
            )
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    done: list[Submitted] = []
    for job in jobs:
        after = {"slurm_dependency": f"afterok:{done[-1].number}"} if done else {}
        try:
            handles = start("slurm", run, job, resources, [{}] * job.tasks, after)
        except (FailedJobError, FailedSubmissionError) as error:
            raise _refused(job, error, done) from error
        number, *tasks = handles[0].job_id.split("_")
        folder = (run / JOBS / job.name).absolute()
        done.append(
            Submitted(
                "slurm", job.name, number, str(folder / f"{'*' if tasks else number}_0_log.err")
            )
        )
        record(run, [*before, *done])
        say(f"{job.name}: queued as job {number}" + (f", {job.tasks} tasks" if tasks else ""))
    return done


def start(
    engine: str,
    run: Path,
    job: Job,
    resources: Resources,
    variables: Sequence[Mapping[str, str | None]],
    more: Mapping[str, object] | None = None,
) -> list[Handle[None]]:
    """Hand a job to submitit, a task for each of `variables`, which it changes in its environment."""
    from submitit import AutoExecutor

    executor = AutoExecutor(
        run / JOBS / job.name,
        cluster=engine,
        slurm_max_num_timeout=REQUEUES,
        local_max_num_timeout=REQUEUES,
    )
    executor.update_parameters(**parameters(engine, job, resources), **(more or {}))
    folder = Path.cwd()
    return executor.submit_array([StageCommand(job.words, folder, each) for each in variables])


def _refused(job: Job, error: Exception, done: Sequence[Submitted]) -> UserError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = (lines[-1] if lines else type(error).__name__).removeprefix("sbatch: ")
    numbers = " ".join(each.number for each in done)
    left = f"; already queued: `scancel {numbers}` ends them" if done else ""
    return UserError(f"{job.name}: sbatch refuses the job ({reason}){left}")
