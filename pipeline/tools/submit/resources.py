"""What a job asks for, and what each engine calls it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from pipeline.errors import UsageError
from pipeline.tools.submit.jobs import Job

# Engine -> what a user asks for -> what submitit calls it there. What an engine lacks it cannot be asked for.
ENGINES: Mapping[str, Mapping[str, str]] = {
    "slurm": {
        "time": "timeout_min",
        "cpus": "cpus_per_task",
        "memory": "mem_gb",
        "partition": "slurm_partition",
        "account": "slurm_account",
        "slurm": "slurm_additional_parameters",
    },
    "local": {"time": "timeout_min"},
}
SIGNAL_SECONDS = (
    120  # before its time is over a job of Slurm gets a signal, so that it writes its checkpoint
)
DAY, YEAR = 24 * 60, 365 * 24 * 60  # minutes
# What we tell sbatch ourselves.
_OURS = frozenset(
    {
        "array",
        "cpus-per-task",
        "dependency",
        "error",
        "gpus-per-node",
        "job-name",
        "open-mode",
        "output",
        "requeue",
        "signal",
    }
)
_TIME = re.compile(r"(?:(\d{1,3})-)?(\d{1,4}):(\d\d)(?::(\d\d))?", re.ASCII)


@dataclass(frozen=True)
class Resources:
    """What every job asks for; None: what the engine gives by itself. `time` in minutes, `memory` in GB."""

    time: int | None = None
    cpus: int | None = None
    memory: float | None = None
    partition: str | None = None
    account: str | None = None
    slurm: Mapping[str, str | bool] | None = None

    def require(self, engine: str) -> None:
        """Refuse what an engine has not. Raises UsageError naming the option."""
        for field in fields(self):
            if getattr(self, field.name) and field.name not in ENGINES[engine]:
                raise UsageError(
                    f"--{field.name}: --engine {engine} does not support it; leave it out, or use --engine slurm"
                )


def parameters(engine: str, job: Job, resources: Resources) -> dict[str, object]:
    """The parameters of a job for submitit."""
    found = {
        name: value
        for key, name in ENGINES[engine].items()
        if (value := getattr(resources, key)) is not None
    }
    if engine == "slurm":
        # A job whose predecessor failed ends, instead of waiting for ever.
        ours = {"requeue": True, "kill-on-invalid-dep": "yes"}
        found["slurm_additional_parameters"] = {**ours, **(resources.slurm or {})}
        found |= {"slurm_signal_delay_s": SIGNAL_SECONDS, "slurm_array_parallelism": job.tasks}
        found |= {"gpus_per_node": job.gpus} if job.gpus else {}
    default = DAY if engine == "slurm" else YEAR
    return {"timeout_min": default, "name": f"tada-loc-{job.name}", **found}


def minutes(text: str) -> int:
    """`12`, `1.5` (hours), `H:MM:SS`, `D-H:MM:SS` to minutes, rounded up. Raises UsageError."""
    clock = _TIME.fullmatch(text)
    if clock is not None:
        days, hours, mins, seconds = (int(part or 0) for part in clock.groups())
        found = days * DAY + hours * 60 + mins + seconds / 60
    elif re.fullmatch(r"[0-9]{1,5}(\.[0-9]+)?", text):
        found = float(text) * 60
    else:
        raise UsageError(f"--time {text!r}: write hours (12, 1.5), H:MM:SS or D-H:MM:SS")
    if not 0 < found <= YEAR:
        raise UsageError(f"--time {text!r}: give more than 0 and at most a year")
    return math.ceil(found)


def clock(time: int) -> str:
    """Minutes as H:MM:SS."""
    return f"{time // 60}:{time % 60:02}:00"


def sbatch_options(words: tuple[str, ...]) -> dict[str, str | bool]:
    """`KEY=VALUE` or `KEY` of `--slurm`, as sbatch has them. Raises UsageError."""
    found: dict[str, str | bool] = {}
    for word in words:
        key, given, value = word.lstrip("-").partition("=")
        if not re.fullmatch(r"[a-z][a-z-]*", key) or not value.isprintable():
            raise UsageError(f"--slurm {word!r}: write an sbatch option as KEY=VALUE or KEY")
        if key in _OURS:
            raise UsageError(f"--slurm {word!r}: tada-loc sets {key} itself; leave it out")
        found[key] = value if given else True
    return found
