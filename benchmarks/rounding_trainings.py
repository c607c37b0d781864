"""Trainings of the demo that differ in nothing but rounding, side by side on the same batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.configuration.reading import find_config, load_config
from pipeline.configuration.settings import Config
from pipeline.data.annotations import load_annotations
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.selection import training_segments
from pipeline.data.clips.training import clip_batches, epoch_clips
from pipeline.data.videos.left_out import LeftOut
from pipeline.training.networks.classifier import network_input, new_classifier
from pipeline.training.optimisation import build_optimizer, schedule_of
from pipeline.training.steps import Stepper


@dataclass(frozen=True)
class Variant:
    """One of the trainings that differ in nothing but rounding.

    `moved`: which element of the first weight starts one unit in the last place higher, None for none;
    `against`: the name of the variant its weights are compared with.
    """

    name: str
    threads: int = 1
    moved: int | None = None
    against: str = "1 thread"


FIRST = Variant("1 thread")
AGAIN = (Variant("1 thread, again"), Variant("2 threads, again", threads=2, against="2 threads"))
OTHERS = (Variant("2 threads", threads=2), Variant("one weight moved", moved=0))
# In float64, which is slower, only what differs.
TYPES = {torch.float32: (FIRST, *AGAIN, *OTHERS), torch.float64: (FIRST, *OTHERS)}


class Training:
    """A classifier of the demo in training, on its own number of threads."""

    def __init__(self, config: Config, classes: int, variant: Variant, dtype: torch.dtype) -> None:
        self.variant, self._settings = variant, config.finetune
        model = new_classifier(config.backbone, classes, config.finetune.seed).to(dtype)
        if variant.moved is not None:
            move_one(next(model.parameters()), variant.moved)
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
        torch.set_num_threads(self.variant.threads)
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


def load_demo(data: Path, settings: Mapping[str, Any]) -> tuple[Config, int, Segments, Segments]:
    """The demo with other `finetune` settings and no mirrored clips, and what it trains and validates on.

    The configuration, the number of classes, the training and the validation segments.
    """
    overrides: dict[str, Any] = {f"finetune.{key}": value for key, value in settings.items()}
    overrides |= {
        "finetune.flip": 0.0,  # as the demo was when docs/explanation/reproducibility.md was written
        "dataset.videos": str(data / "videos"),
        "dataset.annotations": str(data / "annotations.csv"),
        "runtime.device": "cpu",
        "runtime.workers": 0,
    }
    config = load_config(find_config("demo"), overrides)
    dataset = load_annotations(config.dataset)
    train, validation = training_segments(config, dataset, LeftOut("rounding"))
    return config, len(dataset.heads[0]), train, validation


def take_together(trainings: Sequence[Training], config: Config, train: Segments) -> Iterator[int]:
    """Train side by side on the same batches; gives the number of steps after each step of all."""
    settings = config.finetune
    steps = len(epoch_clips(train, settings, 0))
    stream = clip_batches(train, settings, LeftOut("rounding"), workers=0, epoch=0, step=0)
    for number, batch in enumerate(stream):
        for training in trainings:
            training.step(batch, number, number / steps)
        yield number + 1
