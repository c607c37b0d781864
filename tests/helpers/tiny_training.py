"""A training of a tiny network for tests of the loop: its network, batches, stage, and what kills it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.configuration.reading import find_config, load_config
from pipeline.configuration.sections.training import BMNSettings


class Killed(Exception):
    """Stands for a kill in the middle of a step."""


def network() -> nn.Module:
    """A network with a batch norm and dropout, the same every time."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))


def batches_of(
    steps: int, epochs: int, names: tuple[str, ...], pieces: Sequence[int] = ()
) -> Callable[[int, int], Iterator[dict[str, Any]]]:
    """A task's batches from any position on: six samples of four numbers each, by the step's number."""

    def batches(epoch: int, step: int) -> Iterator[dict[str, Any]]:
        for number in range(epoch * steps + step, epochs * steps):
            generator = torch.Generator().manual_seed(number)
            x = torch.randn(6, 4, generator=generator)
            yield {"x": x, "names": list(names), "pieces": list(pieces)}

    return batches


def settings_of(epochs: int, **keys: Any) -> BMNSettings:
    """How a tiny training is optimised: by Adam, with a warm-up of an epoch by default."""
    fields = {"base_lr": 0.05, "base_batch": None, "warmup_epochs": 1, "warmup_lr": 0.01, "seed": 3}
    fields |= {"epochs": epochs, "keep": "last", "patience": None, "weight_decay": 0.1} | keys
    assignments = {f"bmn.{key}": value for key, value in fields.items()}
    return load_config(find_config("ek100"), assignments).bmn


@dataclass
class TinyStage:
    """The stage of a training, without manifests; `noted`, `summary` and `weights` are what it was given."""

    folder: Path
    fingerprint: str = "f"
    noted: list[tuple[int, int]] = field(default_factory=list)
    summary: Mapping[str, object] | None = None
    weights: str | None = None

    @property
    def checkpoint(self) -> Path:
        """Where the training's checkpoint is."""
        return self.folder / "checkpoint.pt"

    def progress(self, done: int, total: int) -> None:
        """Take note of the steps that are taken."""
        self.noted.append((done, total))

    def finish(
        self, summary: Mapping[str, object] | None = None, *, weights: str | None = None
    ) -> None:
        """Take note of the summary and of the weights' digest."""
        self.summary, self.weights = summary, weights
