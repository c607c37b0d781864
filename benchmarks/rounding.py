"""Why one training gives other figures on other machines: rounding, amplified step by step.

python -m benchmarks.rounding [--videos N] [--steps N] [--epochs N] [--copies N] [--data DIR] [--json FILE]
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

import click
import torch

from benchmarks.commands import StageCommand
from benchmarks.machine import describe, this_machine
from benchmarks.rounding_trainings import FIRST, TYPES, Training, Variant, load_demo, take_together
from pipeline.cli.paths import NamedPath
from pipeline.data.videos.left_out import LeftOut
from pipeline.results.accuracy import validate
from pipeline.run_folder.files import write_json

OLD = {"crop": 48, "batch_size": 16, "base_lr": 3e-3}  # of the demo that fine-tuned on squares
GEOMETRIES = {"square": OLD, "whole frames": OLD | {"crop": "whole"}}


@dataclass(frozen=True)
class Ended:
    """Top-1 in percent of a training: on what fine-tuning shows the network, and on whole frames."""

    own: float
    whole: float


def distances(
    data: Path, steps: int, dtype: torch.dtype
) -> tuple[dict[str, dict[int, float]], str]:
    """Relative distance of weights by variant and step, and a digest of the first variant's last weights.

    The distance of a training from the one it is compared with is |a - b| / |b| over all weights; 0 is
    the same to the last bit.
    """
    config, classes, train, _ = load_demo(data, OLD)
    trainings = {
        variant.name: Training(config, classes, variant, dtype) for variant in TYPES[dtype]
    }
    found: dict[str, dict[int, float]] = {variant.name: {} for variant in TYPES[dtype][1:]}

    def note(step: int) -> None:
        rows = {name: training.weights() for name, training in trainings.items()}
        for name, far in found.items():
            origin = rows[trainings[name].variant.against]
            far[step] = float((rows[name] - origin).norm() / origin.norm())

    note(0)
    for step in islice(take_together([*trainings.values()], config, train), steps):
        if step in marks(steps):
            note(step)
    return found, digest(trainings[FIRST.name])


def marks(steps: int) -> list[int]:
    """The steps that are shown: 0, 1, 2, 5, 10, 20, 50, ... and the last."""
    wanted = {0, steps} | {first * 10**power for power in range(6) for first in (1, 2, 5)}
    return sorted(step for step in wanted if step <= steps)


def digest(training: Training) -> str:
    """Twelve hex digits of the weights, to compare processes and machines by."""
    return hashlib.sha256(training.weights().numpy().tobytes()).hexdigest()[:12]


def endings(data: Path, settings: Mapping[str, Any], copies: int) -> list[Ended]:
    """Accuracies after trainings that differ by one unit in the last place of one weight."""
    config, classes, train, validation = load_demo(data, settings)
    variants = [Variant(f"copy {k}", moved=k - 1 if k else None) for k in range(copies)]
    trainings = [Training(config, classes, variant, torch.float32) for variant in variants]
    deque(take_together(trainings, config, train), maxlen=0)
    ended = []
    for training in trainings:
        training.model.eval()
        device = torch.device("cpu")
        seen = validate(training.model, validation, config, LeftOut("rounding"), device)
        ended.append(Ended(seen["top1"], seen["extract_top1"]))
    return ended


def distance_table(found: Mapping[str, Mapping[int, float]], dtype: torch.dtype, name: str) -> str:
    """The distances as lines of text, a column per step."""
    steps = list(next(iter(found.values())))
    title = str(dtype).removeprefix("torch.")
    lines = [f"{title:18s}" + "".join(f"{step:>9d}" for step in steps)]
    for variant, row in found.items():
        cells = (f"{far:9.1e}" if far else f"{'0':>9s}" for far in row.values())
        lines.append(f"{variant:18s}" + "".join(cells))
    return "\n".join([*lines, f"weights of 1 thread at the end: {name}"])


def ending_table(results: Mapping[str, Sequence[Ended]]) -> str:
    """Mean, spread and values of both accuracies, a line each."""
    lines = [f"{'fine-tuned on':14s} {'top-1 on':14s} {'mean':>6s} {'spread':>6s}  runs"]
    for name, ended in results.items():
        for seen, key in ((name, "own"), ("whole frames", "whole")):
            if name == seen and key == "whole":
                continue  # what it was fine-tuned on are whole frames
            values = [getattr(run, key) for run in ended]
            shown, spread = " ".join(f"{v:.1f}" for v in values), max(values) - min(values)
            lines.append(f"{name:14s} {seen:14s} {mean(values):6.2f} {spread:6.2f}  {shown}")
    return "\n".join(lines)


@click.command(cls=StageCommand)
@click.option("--videos", type=click.IntRange(4), default=160, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=100, show_default=True)
@click.option("--epochs", type=click.IntRange(2), default=14, show_default=True)
@click.option("--copies", type=click.IntRange(2), default=3, show_default=True)
@click.option(
    "--data", type=NamedPath(), metavar="DIR", help="Draw the videos there and keep them."
)
@click.option("--json", "json_file", type=NamedPath(), metavar="FILE", help="Keep the numbers.")
def main(
    videos: int, steps: int, epochs: int, copies: int, data: Path | None, json_file: Path | None
) -> None:
    """Print how far trainings drift apart, and what accuracies that differ by rounding alone end with."""
    from pipeline.demo.dataset import make_dataset

    made: dict[str, Any] = {"distances": {}, "endings": {}}
    results: dict[str, list[Ended]] = {}
    torch.set_num_threads(1)  # of what is not trained: every training sets its own
    click.echo(describe(this_machine()).removesuffix(", 1 thread") + "\n")
    with tempfile.TemporaryDirectory() as folder:
        data = data or Path(folder)
        make_dataset(data, train_videos=videos, workers=1)
        for dtype in TYPES:
            found, name = distances(data, steps, dtype)
            made["distances"][str(dtype)] = found
            click.echo(distance_table(found, dtype, name) + "\n")
        for name, settings in GEOMETRIES.items():
            results[name] = endings(data, settings | {"epochs": epochs, "keep": "last"}, copies)
            made["endings"][name] = [asdict(run) for run in results[name]]
    click.echo(ending_table(results))
    if json_file is not None:
        write_json(json_file, made)


if __name__ == "__main__":
    main()
