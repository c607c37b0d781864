"""Why one training gives other figures on other machines: rounding, amplified step by step.

python -m benchmarks.rounding [--videos N] [--steps N] [--epochs N] [--copies N] [--data DIR] [--json FILE]
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

import click
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.commands import StageCommand
from benchmarks.machine import describe, this_machine
from pipeline.cli.options import NamedPath
from pipeline.configuration.reading import Config, find_config, load_config
from pipeline.data import annotations
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.selection import training_segments
from pipeline.data.clips.training import epoch_batches, training_batches
from pipeline.data.unreadable import Unreadable
from pipeline.results.accuracy import network_input, validate
from pipeline.run_folder.manifests import write_json
from pipeline.training.classifier import new_classifier
from pipeline.training.optimisation import build_optimizer, schedule_of
from pipeline.training.steps import Stepper

OLD = {"crop": 48, "batch_size": 16, "base_lr": 3e-3}  # of the demo that fine-tuned on squares
GEOMETRIES = {"square": OLD, "whole frames": OLD | {"crop": "whole"}}


@dataclass(frozen=True)
class Form:
    """One of the trainings that differ in nothing but rounding.

    `moved`: which element of the first weight starts one unit in the last place higher, None for none;
    `against`: the name of the form its weights are compared with.
    """

    name: str
    threads: int = 1
    moved: int | None = None
    against: str = "1 thread"


FIRST = Form("1 thread")
AGAIN = (Form("1 thread, again"), Form("2 threads, again", threads=2, against="2 threads"))
OTHERS = (Form("2 threads", threads=2), Form("one weight moved", moved=0))
# In float64, which is slower, only what differs.
TYPES = {torch.float32: (FIRST, *AGAIN, *OTHERS), torch.float64: (FIRST, *OTHERS)}


@dataclass(frozen=True)
class Ended:
    """Top-1 in percent of a training: on what fine-tuning shows the network, and on whole frames."""

    own: float
    whole: float


class Training:
    """A classifier of the demo in training, on its own number of threads."""

    def __init__(self, config: Config, classes: int, form: Form, dtype: torch.dtype) -> None:
        self.form, self._settings = form, config.finetune
        model = new_classifier(config.backbone, classes, config.finetune.seed).to(dtype)
        if form.moved is not None:
            move_one(next(model.parameters()), form.moved)
        self.model = model.to(memory_format=torch.channels_last)
        self._optimizer = build_optimizer(self.model, config.finetune)
        scaler, generator = torch.amp.GradScaler("cpu", enabled=False), torch.Generator()

        def loss(model: nn.Module, batch: Mapping[str, Any], _: torch.Generator) -> dict:
            video = network_input(batch["clip"], config.backbone).to(dtype)
            return {"total": F.cross_entropy(model(video), batch["target"][:, 0])}

        self._stepper = Stepper(
            self.model, loss, self._optimizer, scaler, generator, "float32", None, 1
        )

    def step(self, batch: Mapping[str, Any], number: int, epoch: float) -> None:
        """Take a step; `epoch` is its place in the schedule."""
        rate = schedule_of(self._settings).at(epoch)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        before = torch.get_num_threads()
        torch.set_num_threads(self.form.threads)
        try:
            self._stepper.take(batch, number, rate)
        finally:
            torch.set_num_threads(before)

    def weights(self) -> Tensor:
        """All weights in one row, float64."""
        return torch.cat([p.detach().double().flatten() for p in self.model.parameters()])


def move_one(weight: Tensor, place: int) -> None:
    """Raise one element of a weight to the next number its type has."""
    with torch.no_grad():
        flat = weight.view(-1)
        flat[place] = torch.nextafter(flat[place], torch.full_like(flat[place], torch.inf))


def load(data: Path, settings: Mapping[str, Any]) -> tuple[Config, int, Segments, Segments]:
    """The demo with other `finetune` settings and no mirrored clips, and what it trains and validates on.

    The configuration, the number of classes, the training and the validation segments.
    """
    overrides: dict[str, Any] = {f"finetune.{key}": value for key, value in settings.items()}
    overrides |= {
        "finetune.flip": 0.0,  # as the demo was when docs/reproducibility.md was written
        "dataset.videos": str(data / "videos"),
        "dataset.annotations": str(data / "annotations.csv"),
        "runtime.device": "cpu",
        "runtime.workers": 0,
    }
    config = load_config(find_config("demo"), overrides)
    dataset = annotations.load(config.dataset)
    train, validation, _, _ = training_segments(config, dataset)
    return config, len(dataset.heads[0]), train, validation


def take_together(trainings: Sequence[Training], config: Config, train: Segments) -> Iterator[int]:
    """Train side by side on the same batches; gives the number of steps after each step of all."""
    settings = config.finetune
    steps = len(epoch_batches(train, settings, 0))
    stream = training_batches(train, settings, Unreadable(0, {}), workers=0, epoch=0, step=0)
    for number, batch in enumerate(stream):
        for training in trainings:
            training.step(batch, number, number / steps)
        yield number + 1


def distances(
    data: Path, steps: int, dtype: torch.dtype
) -> tuple[dict[str, dict[int, float]], str]:
    """Relative distance of weights by form and step, and a digest of the first form's last weights.

    The distance of a training from the one it is compared with is |a - b| / |b| over all weights; 0 is
    the same to the last bit.
    """
    config, classes, train, _ = load(data, OLD)
    trainings = {form.name: Training(config, classes, form, dtype) for form in TYPES[dtype]}
    found: dict[str, dict[int, float]] = {form.name: {} for form in TYPES[dtype][1:]}

    def note(step: int) -> None:
        rows = {name: training.weights() for name, training in trainings.items()}
        for name, far in found.items():
            origin = rows[trainings[name].form.against]
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
    config, classes, train, validation = load(data, settings)
    forms = [Form(f"copy {k}", moved=k - 1 if k else None) for k in range(copies)]
    trainings = [Training(config, classes, form, torch.float32) for form in forms]
    deque(take_together(trainings, config, train), maxlen=0)
    ended = []
    for training in trainings:
        training.model.eval()
        device = torch.device("cpu")
        seen = validate(training.model, validation, config, Unreadable(0, {}), device)
        ended.append(Ended(seen["top1"], seen["extract_top1"]))
    return ended


def distance_table(found: Mapping[str, Mapping[int, float]], dtype: torch.dtype, name: str) -> str:
    """The distances as lines of text, a column a step."""
    steps = list(next(iter(found.values())))
    title = str(dtype).removeprefix("torch.")
    lines = [f"{title:18s}" + "".join(f"{step:>9d}" for step in steps)]
    for form, row in found.items():
        cells = (f"{far:9.1e}" if far else f"{'0':>9s}" for far in row.values())
        lines.append(f"{form:18s}" + "".join(cells))
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
