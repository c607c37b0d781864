"""BMN against ActionFormer on the same features, of a run that is there: mAP over seeds, and what the trainings cost.

    python -m benchmarks.heads --run runs/demo --to runs/heads --seeds 3
    python -m benchmarks.heads --run runs/own --to runs/heads --iou 0.1:0.1:0.5 --set actionformer.min_steps=400

Each training is in a run folder of its own, with the features and the classifier of the given run. The first part of
its processor time is what both heads have: start-up, and the reading of features.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

import click

HEADS = ("bmn", "actionformer")
OF_HEADS = (
    "bmn",
    "actionformer",
    "classify",
    "eval",
    "report",
)  # folders of a run that follow from its head


class Trained(NamedTuple):
    """What a training of a head came to: average mAP and mAP at the first threshold, percent, and processor seconds."""

    average: float
    first: float
    seconds: float


def train_head(run: Path, to: Path, head: str, seed: int, words: Sequence[str]) -> Trained:
    """Train a head in a copy of a run, and evaluate it. `words` are further words of both commands."""
    if not to.exists():
        shutil.copytree(run, to, ignore=_left_behind(run))
    program = [sys.executable, "-m", "pipeline"]
    named = ["--run-dir", str(to), "--config", str(to / "config.yaml")]
    named += ["--set", f"detector.name={head}", "--set", f"{head}.seed={seed}"]
    named += [part for word in words for part in ("--set", word) if not word.startswith("eval.")]
    evaluated = [part for word in words for part in ("--set", word) if word.startswith("eval.")]
    numbers = to / "numbers.json"
    before = _children_seconds()
    subprocess.run([*program, "detect", *named], check=True)
    seconds = _children_seconds() - before
    subprocess.run([*program, "eval", *named, *evaluated, "--json", str(numbers)], check=True)
    task = next(iter(json.loads(numbers.read_text())["tasks"].values()))
    return Trained(task["average"], task["map"][0], seconds)


def _left_behind(run: Path) -> Callable[[str, list[str]], set[str]]:
    def ignore(folder: str, names: list[str]) -> set[str]:
        return set(OF_HEADS) & set(names) if Path(folder) == run else set()

    return ignore


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def line_of(head: str, found: Sequence[Trained]) -> str:
    """A head's seeds in one line."""
    averages = [one.average for one in found]
    spread = stdev(averages) if len(averages) > 1 else 0.0
    return (
        f"{head:13} average {mean(averages):6.2f} (st. dev. {spread:.2f}: "
        f"{' '.join(f'{value:.2f}' for value in averages)})  first threshold "
        f"{mean(one.first for one in found):6.2f}  processor seconds {mean(one.seconds for one in found):.0f}"
    )


@click.command()
@click.option("--run", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--to", "target", type=click.Path(path_type=Path), required=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--head", "heads", multiple=True, type=click.Choice(HEADS), help="Default: both.")
@click.option("--iou", help="eval.iou")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE")
def main(
    run: Path,
    target: Path,
    seeds: int,
    heads: tuple[str, ...],
    iou: str | None,
    settings: tuple[str, ...],
) -> None:
    """Train each head with each seed and print a line per head."""
    words = [*settings, *([f"eval.iou={iou}"] if iou else [])]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for head in heads or HEADS:
        found = [
            train_head(run, target / f"{head}_{seed}", head, seed, words) for seed in range(seeds)
        ]
        click.echo(line_of(head, found))


if __name__ == "__main__":
    main()
