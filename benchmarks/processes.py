"""What several processes change: nothing but rounding, step by step, and the figures that rounding leaves.

python -m benchmarks.processes [--only PART] [--processes N ...] [--seeds N] [--to DIR] [--json FILE]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import click
import numpy as np

from benchmarks.commands import StageCommand
from benchmarks.machine import describe, this_machine
from pipeline.cli.paths import NamedPath
from pipeline.configuration.reading import find_config, load_config, parse_overrides
from pipeline.errors import UserError
from pipeline.run_folder.files import write_json
from pipeline.runs.run import Run
from pipeline.stages.evaluate import numbers

TYPES = ("float64", "float32")
STUDY = (
    "runtime.device=cpu", "runtime.workers=0", "finetune.epochs=24", "finetune.batch_size=16",
    "finetune.ema_decay=0.95", "finetune.short_side=[32,32]", "finetune.eval_short_side=32",
    "extract.short_side=32", "bmn.temporal_scale=48", "bmn.window_step=24", "bmn.ema_decay=0.95",
)  # fmt: skip


@dataclass(frozen=True)
class Apart:
    """How far a training of this many processes is from that of one, by step, and at its end.

    `weights`: |a - b| / |b| over all weights and statistics; `losses`: the same of the loss; `kept`: that
    of the weights in `model.pt`; `figures`: the largest difference of a figure in `history.json`.
    """

    case: str
    processes: int
    weights: tuple[float, ...]
    losses: tuple[float, ...]
    kept: float
    figures: float


@dataclass(frozen=True)
class Figure:
    """A run of all stages: mAP in percent at tIoU 0.5, and on average."""

    seed: int
    processes: int
    at_half: float
    average: float


def launch(processes: int, *words: str) -> list[str]:
    """The command that runs a module in this many processes."""
    several = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    return [sys.executable, "-m", *(several if processes > 1 else []), *words]


def execute(line: Sequence[str]) -> None:
    """Run a command, a thread a process. Raises UserError with the first error a failed one said."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "Error: " in line] or ["no word"]
        raise UserError(f"{' '.join(line[1:])[:80]}: {said[0].strip()}")


def train(folder: Path, cases: Sequence[Mapping[str, Any]], dtype: str, processes: int) -> Path:
    """Train the cases in this many processes; the folder of what they did."""
    made = folder / f"{dtype}_{processes}"
    job = folder / f"{dtype}_{processes}.json"
    job.write_text(json.dumps({"to": str(made), "dtype": dtype, "cases": list(cases)}))
    execute(launch(processes, "benchmarks.processes_trainings", str(job)))
    return made


def compare(one: Path, several: Path, case: Mapping[str, Any], processes: int) -> Apart:
    """Compare what one process and several did in a case."""
    name, stage = case["name"], case["stage"]
    rows = [np.load(made / name / "weights.npy") for made in (one, several)]
    terms = [json.loads((made / name / "terms.json").read_text()) for made in (one, several)]
    losses = [np.array([[step["total"]] for step in steps]) for steps in terms]
    kept = [np.load(made / name / "kept.npy")[None] for made in (one, several)]
    histories = [
        json.loads((made / name / stage / "history.json").read_text()) for made in (one, several)
    ]
    figures = [
        abs(ours[key] - theirs[key])
        for ours, theirs in zip(*histories, strict=True)
        for key in ours
    ]
    return Apart(
        name, processes, distances(*rows), distances(*losses), distances(*kept)[0], max(figures)
    )


def distances(origin: np.ndarray, other: np.ndarray) -> tuple[float, ...]:
    """|other - origin| / |origin| of each row [steps, n]."""
    far = np.linalg.norm(other - origin, axis=1) / np.linalg.norm(origin, axis=1)
    return tuple(map(float, far))


def distance_table(rows: Mapping[str, Sequence[Apart]]) -> str:
    """A line a case, number of processes and type: the distance of weights after some steps."""
    lines = [
        f"{'':16s} {'type':7s} {'processes':>9s} {'step 1':>8s} {'step 4':>8s} {'last':>8s} "
        f"{'loss':>8s} {'kept':>8s}"
    ]
    for dtype, found in rows.items():
        for row in found:
            shown = (row.weights[0], row.weights[3], row.weights[-1], max(row.losses), row.kept)
            cells = " ".join(f"{far:8.0e}" if far else f"{'0':>8s}" for far in shown)
            lines.append(f"{row.case:16s} {dtype:7s} {row.processes:9d} {cells}")
    return "\n".join(lines)


def run_seed(folder: Path, data: Path, seed: int, processes: int) -> Figure:
    """Run all stages with a seed in this many processes, and read their figures."""
    run = folder / f"seed{seed}_processes{processes}"
    assignments = [
        *STUDY,
        f"dataset.videos={data / 'videos'}",
        f"dataset.annotations={data / 'annotations.csv'}",
        f"finetune.seed={seed}",
        f"bmn.seed={seed}",
    ]
    words = [word for assignment in assignments for word in ("--set", assignment)]
    execute(launch(processes, "pipeline", "run", "--config", "demo", "--run-dir", str(run), *words))
    made = numbers(Run(run, load_config(find_config("demo"), parse_overrides(assignments))))
    task = made["tasks"]["mAP"]
    return Figure(seed, processes, task["map"][made["iou"].index(0.5)], task["average"])


def figure_table(rows: Sequence[Figure]) -> str:
    """Mean, standard deviation, spread and values of both figures, a line a number of processes."""
    lines = [f"{'mAP':8s} {'processes':>9s} {'mean':>7s} {'st. dev.':>8s} {'spread':>7s}  seeds"]
    for name, key in (("@0.5", "at_half"), ("average", "average")):
        for count in sorted({row.processes for row in rows}):
            values = [getattr(row, key) for row in rows if row.processes == count]
            shown = " ".join(f"{value:.2f}" for value in values)
            deviation = stdev(values) if len(values) > 1 else 0.0
            spread = max(values) - min(values)
            lines.append(
                f"{name:8s} {count:9d} {mean(values):7.2f} {deviation:8.2f} {spread:7.2f}  {shown}"
            )
    return "\n".join(lines)


def study_steps(folder: Path, processes: Sequence[int]) -> dict[str, list[Apart]]:
    """Every case in both types, by one process and by each number of several."""
    from benchmarks.processes_cases import prepare

    found: dict[str, list[Apart]] = {}
    cases = prepare(folder)
    for dtype in TYPES:
        one = train(folder, cases, dtype, 1)
        several = {count: train(folder, cases, dtype, count) for count in processes}
        found[dtype] = [
            compare(one, made, case, count) for case in cases for count, made in several.items()
        ]
    return found


def study_seeds(folder: Path, processes: Sequence[int], seeds: int) -> list[Figure]:
    """All stages with every seed, by one process and by each number of several."""
    from pipeline.demo.dataset import make_dataset

    data = folder / "data"
    make_dataset(data, train_videos=40, val_videos=16, seconds=20.0, workers=1)
    rows = []
    for seed in range(seeds):
        for count in (1, *processes):
            rows.append(run_seed(folder, data, seed, count))
            click.echo(f"seed {seed}, {count} processes: {rows[-1].average:.2f}", err=True)
    return rows


@click.command(cls=StageCommand)
@click.option("--only", type=click.Choice(["steps", "seeds"]), help="One of the two parts.")
@click.option("--processes", multiple=True, type=click.IntRange(2), default=(2,), show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="0, 1, ...")
@click.option(
    "--to", "folder", type=NamedPath(), default="runs/processes", show_default=True, metavar="DIR"
)
@click.option("--json", "json_file", type=NamedPath(), metavar="FILE", help="Keep the numbers.")
def main(
    only: str | None, processes: tuple[int, ...], seeds: int, folder: Path, json_file: Path | None
) -> None:
    """Print how far the steps of several processes are from those of one, and the figures over seeds."""
    made: dict[str, Any] = {}
    folder.mkdir(parents=True, exist_ok=True)
    click.echo(describe(this_machine()).removesuffix(", 1 thread") + ", 1 thread a process")
    if only != "seeds":
        steps = study_steps(folder / "steps", processes)
        made["steps"] = {dtype: [asdict(row) for row in rows] for dtype, rows in steps.items()}
        click.echo("\n" + distance_table(steps))
    if only != "steps":
        figures = study_seeds(folder / "seeds", processes, seeds)
        made["seeds"] = [asdict(row) for row in figures]
        click.echo("\n" + figure_table(figures))
    if json_file is not None:
        write_json(json_file, made)


if __name__ == "__main__":
    main()
