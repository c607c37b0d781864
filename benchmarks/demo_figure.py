"""The demo's figure over seeds and numbers of threads: what the README may promise.

python -m benchmarks.demo_figure [--seeds N] [--threads N ...] [--backbone NAME] [--to DIR] [--json FILE]
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import IO

import click

from benchmarks.commands import StageCommand
from benchmarks.machine import describe, this_machine
from evaluation import SignedErrors, signed_errors
from pipeline.cli.paths import NamedPath
from pipeline.configuration.reading import find_config, load_config, parse_overrides
from pipeline.errors import UserError
from pipeline.processes.stopping import terminable
from pipeline.results.scoring import truth_rows
from pipeline.results.tables import read_detections
from pipeline.run_folder.files import write_json
from pipeline.runs.run import Run
from pipeline.stages.evaluate import numbers

TIOU = 0.5  # of a detection whose boundaries are compared with the truth's
TOOK = "took.json"  # seconds that a run has taken so far, beside its stages


@dataclass(frozen=True)
class DemoRun:
    """One demo: mAP at tIoU 0.5 and on average (percent), minutes, mean signed errors (seconds)."""

    seed: int
    threads: int
    at_half: float
    average: float
    minutes: float
    start: float
    end: float


def run_demo(folder: Path, data: Path, backbone: str, seed: int, threads: int) -> DemoRun:
    """Run the demo's stages in a process with this many threads, from what is on disk, and read its figures.

    Raises UserError with the last line a run that failed said.
    """
    run = folder / f"{backbone}_seed{seed}_threads{threads}"
    assignments = [
        f"backbone.name={backbone}",
        f"dataset.videos={data / 'videos'}",
        f"dataset.annotations={data / 'annotations.csv'}",
        "runtime.device=cpu",
        f"finetune.seed={seed}",
        f"bmn.seed={seed}",
    ]
    opened = Run(run, load_config(find_config("demo"), parse_overrides(assignments)))
    if opened.state("eval").state != "complete":
        _run_stages(run, assignments, threads)
    made, errors = numbers(opened), boundary_errors(opened)
    task = made["tasks"]["mAP"]
    at_half = task["map"][made["iou"].index(0.5)]
    return DemoRun(
        seed, threads, at_half, task["average"], _took(run) / 60, errors.start, errors.end
    )


def boundary_errors(run: Run) -> SignedErrors:
    """How early or late a run's detections begin and end."""
    truth = truth_rows(run.config.dataset, run.dataset)
    found = read_detections(run.path("classify"), run.dataset, run.subsets[1])
    return signed_errors(truth, found, TIOU)


def demo_table(rows: Sequence[DemoRun]) -> str:
    """A line per run; of several, mean, standard deviation, smallest, largest and spread of both figures."""
    lines = [
        f"{'seed':>8} {'threads':>7} {'@0.5':>7} {'average':>8} {'minutes':>8} {'start':>7} {'end':>7}"
    ]
    lines += [
        f"{row.seed:8d} {row.threads:7d} {row.at_half:7.2f} {row.average:8.2f}"
        f" {row.minutes:8.1f} {row.start:+7.3f} {row.end:+7.3f}"
        for row in rows
    ]
    if len(rows) == 1:
        return "\n".join(lines)
    columns = [[row.at_half for row in rows], [row.average for row in rows]]
    summaries = {
        "mean": mean,
        "st. dev.": stdev,
        "smallest": min,
        "largest": max,
        "spread": lambda values: max(values) - min(values),
    }
    lines.append("")
    for name, summary in summaries.items():
        at_half, average = (summary(column) for column in columns)
        lines.append(f"{name:16s} {at_half:7.2f} {average:8.2f}")
    return "\n".join(lines)


def _run_stages(run: Path, assignments: Sequence[str], threads: int) -> None:
    """Run the stages of a run that are not done; what they say goes to `log.txt`."""
    run.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pipeline", "run", "--config", "demo", "--run-dir", str(run)]
    command += [word for assignment in assignments for word in ("--set", assignment)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    before, began = _took(run), time.monotonic()
    with (run / "log.txt").open("a") as log:
        try:
            code = _wait_for(command, log, environment)
        finally:
            write_json(run / TOOK, {"seconds": before + time.monotonic() - began})
    if code:
        lines = (run / "log.txt").read_text(errors="replace").strip().splitlines()
        last = lines[-1].removeprefix("Error: ") if lines else f"exit code {code}"
        raise UserError(f"{run}: {last} (another --to starts from scratch)")


def _wait_for(command: Sequence[str], log: IO[str], environment: Mapping[str, str]) -> int:
    """The exit code of a process; stopped, it gets one signal, and time to write its checkpoint."""
    with subprocess.Popen(
        command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
    ) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            raise


def _took(run: Path) -> float:
    try:
        return float(json.loads((run / TOOK).read_text())["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


@click.command(cls=StageCommand)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="0, 1, ...")
@click.option(
    "--threads",
    multiple=True,
    type=click.IntRange(1),
    default=(1,),
    show_default=True,
    help="OMP_NUM_THREADS of the runs; repeatable.",
)
@click.option("--backbone", default="tada2d", show_default=True)
@click.option(
    "--to",
    "folder",
    type=NamedPath(),
    default="runs/demo_figure",
    show_default=True,
    metavar="DIR",
    help="The videos and a run folder a seed and number of threads; resumes from what is there.",
)
@click.option("--json", "json_file", type=NamedPath(), metavar="FILE", help="Keep the numbers.")
def main(
    seeds: int, threads: tuple[int, ...], backbone: str, folder: Path, json_file: Path | None
) -> None:
    """Run the demo once for every seed and number of threads, one after the other; print a table."""
    from pipeline.demo.dataset import make_dataset

    machine = describe(this_machine()).removesuffix(", 1 thread")
    rows: list[DemoRun] = []
    with terminable():
        make_dataset(folder / "data")
        for seed in range(seeds):
            for count in dict.fromkeys(threads):
                rows.append(run_demo(folder, folder / "data", backbone, seed, count))
                figure = rows[-1].average
                click.echo(f"seed {seed}, threads {count}: average mAP {figure:.2f}", err=True)
    click.echo(f"{backbone}; {machine}\n\n{demo_table(rows)}")
    if json_file is not None:
        made = [{k: None if math.isnan(v) else v for k, v in asdict(row).items()} for row in rows]
        write_json(json_file, {"backbone": backbone, "machine": machine, "runs": made})


if __name__ == "__main__":
    main()
