"""The command that hands the stages of a run to Slurm, or does them on this machine as jobs."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import ALL, LOG, configured, echo, overrides, start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.runs.run import Run
    from pipeline.tools.submit.jobs import Job
    from pipeline.tools.submit.resources import Resources


@click.command()
@click.option(
    "--engine",
    type=click.Choice(["slurm", "local"]),
    required=True,
    help="slurm: queue the jobs and return. local: run them on this machine, one after another.",
)
@click.option(
    "--array",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="Tasks of a job that reads videos; they divide the videos among themselves.",
)
@click.option(
    "--gpus",
    type=click.IntRange(0, 64),
    metavar="N",
    help="GPUs of a training; a task that reads videos uses one. Default: slurm: 1, or 0 with --device cpu; local: every task "
    "sees all GPUs.",
)
@click.option(
    "--cpus",
    type=click.IntRange(1),
    metavar="N",
    help="CPUs of a task. Default with slurm: --workers + 1.",
)
@click.option(
    "--memory", type=click.FloatRange(0, min_open=True), metavar="GB", help="Memory of a task."
)
@click.option(
    "--time",
    metavar="H:MM:SS",
    help="Time limit of a job, or a number of hours. Default with slurm: 24 hours.",
)
@click.option("--partition", metavar="NAME", help="The partition of Slurm.")
@click.option("--account", metavar="NAME", help="The account of Slurm.")
@click.option(
    "--slurm",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another option of sbatch; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Show the jobs; submit and write nothing.")
@LOG
@configured(*ALL)
def submit(engine: str, array: int, gpus: int | None, dry_run: bool, **options: Any) -> None:
    """Run the stages that are not done as jobs, on Slurm or here.

    A job for each training, an array of tasks for stages that read videos. Each job starts after the one before it has
    succeeded. A job of Slurm that reaches its time limit is queued again, and continues from what is on disk. Logs and jobs.json
    are in jobs/ of the run folder. Needs submitit: `pip install submitit`.

    \b
    Example: tada-loc submit --engine slurm --array 8 --partition gpu --run-dir runs/own
    Example: tada-loc submit --engine local --config small --dry-run
    """
    from pipeline.tools.submit.jobs import jobs_to_do

    resources = _resources(engine, options)
    words = _words(options)
    run = start(None, options, force=options.pop("force"), verify=options.pop("verify"))
    words = ["--run-dir", str(run.folder), *words]
    if engine == "slurm" and resources.cpus is None:
        resources = _with_cpus(resources, run)
    wanted = gpus if gpus is not None else int(engine == "slurm" and _uses_gpu(run))
    jobs = jobs_to_do(run, words, array=array, gpus=wanted)
    if not jobs:
        echo(f"{run.folder}: every stage is complete; nothing to submit")
    elif dry_run:
        _show(engine, jobs, resources)
    else:
        _submit(engine, run, jobs, resources, dealt=gpus is not None)


def _submit(
    engine: str, run: Run, jobs: Sequence[Job], resources: Resources, *, dealt: bool
) -> None:
    from pipeline.progress import say
    from pipeline.tools.submit import record
    from pipeline.tools.submit.local import work_through
    from pipeline.tools.submit.slurm import queue, require_submitit

    require_submitit()
    record.require_recordable(run.folder)
    former = record.submitted(run.folder)
    for line in record.failures(former):
        say(line)
    still = record.alive(former)
    if still:
        names = ", ".join(f"{job.name} (job {job.number})" for job in still)
        say(
            f"{run.folder}: jobs submitted earlier are still waiting or running: {names}; no work is done twice"
        )
    if engine == "local":
        work_through(run.folder, jobs, resources, still, dealt=dealt)
        if jobs[-1].name == "eval":
            _results(run)
        return
    done = queue(run.folder, jobs, resources, still)
    numbers = " ".join(job.number for job in done)
    say(f"logs in {run.folder / record.JOBS}; `scancel {numbers}` ends them")


def _results(run: Run) -> None:
    """The figures of a finished run."""
    from dataclasses import replace

    from pipeline.stages.evaluate import results_table

    echo(results_table(replace(run)))  # which has read nothing yet


def _show(engine: str, jobs: Sequence[Job], resources: Resources) -> None:
    from pipeline.tools.submit.resources import clock, parameters

    for place, job in enumerate(jobs):
        asked = parameters(engine, job, resources)
        more = [f"{job.tasks} tasks"] if job.tasks > 1 else []
        more += [_many(job.gpus, "GPU") + " each" * (job.tasks > 1)] if job.gpus else []
        more += [_many(resources.cpus, "CPU")] if resources.cpus else []
        more += [f"{asked['mem_gb']:g} GB"] if "mem_gb" in asked else []
        if engine == "slurm" or resources.time is not None:
            more.append(f"time {clock(int(str(asked['timeout_min'])))}")
        for name in ("partition", "account"):
            more += [f"{name} {value}"] if (value := getattr(resources, name)) else []
        more += [f"{key}={value}" for key, value in (resources.slurm or {}).items()]
        more += [f"after {jobs[place - 1].name}"] if place else []
        echo(f"{job.name}: {', '.join(more) or '1 task'}\n    {shlex.join(job.words)}")


def _many(count: int, name: str) -> str:
    return f"{count} {name}{'s' * (count > 1)}"


def _resources(engine: str, options: dict[str, Any]) -> Resources:
    """The resources asked for every job. Raises UsageError for those the engine does not have."""
    from pipeline.tools.submit.resources import Resources, minutes, sbatch_options

    time, slurm = options.pop("time"), options.pop("slurm")
    rest = {name: options.pop(name) for name in ("cpus", "memory", "partition", "account")}
    asked = None if time is None else minutes(time)
    resources = Resources(asked, slurm=sbatch_options(slurm), **rest)
    resources.require(engine)
    return resources


def _uses_gpu(run: Run) -> bool:
    return run.config.runtime.device != "cpu"


def _with_cpus(resources: Resources, run: Run) -> Resources:
    from dataclasses import replace

    return replace(resources, cpus=run.config.runtime.workers + 1)


def _words(options: dict[str, Any]) -> list[str]:
    """What every job is given of the options, as one would type it."""
    given = dict(options)
    config = given.pop("config")
    flags = [f"--{name}" for name in ("force", "verify") if given.pop(name)]
    for name in ("run_dir", "verbose"):
        given.pop(name)
    found = [] if config is None else ["--config", config]
    return [*found, *flags, *(_word(key, value) for key, value in overrides(None, given).items())]


def _word(key: str, value: Any) -> str:
    """KEY=VALUE that is read back as that value."""
    from pipeline.configuration.yaml_text import read_yaml

    try:
        plain = isinstance(value, str) and read_yaml(value) == value
    except Exception:  # as YAML it would be another value, or nothing
        plain = False
    return f"{key}={value if plain else json.dumps(value)}"
