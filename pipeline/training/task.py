"""What one training is: its batches, its loss, its validation and its number of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import nn

from pipeline.training.optimisation import USUAL, Recipe
from pipeline.training.steps import Batch, Loss


@dataclass(frozen=True)
class Task:
    """A training as the loop takes it; how it is optimised follows from its settings and `recipe`.

    title: the word before what is reported about it, its settings section.
    batches: (epoch, step) -> this process's parts of the batches from that position to the end of
        the training: mappings of tensors, with `names` (what the samples are called) and, with
        `gradient_accumulation`, `pieces` (of which piece of the batch each sample is, in order).
    loss: named terms of the whole batch of all processes, with `total` among them.
    steps: of an epoch.
    samples: digests of what it trains on and is judged by; a checkpoint of others is refused.
    validate: the figures of an epoch; None if nothing is validated.
    judge: one score of an epoch's figures, higher being better; None for an epoch without one.
    on_checkpoint: called after each checkpoint, by the main process alone.
    """

    title: str
    batches: Callable[[int, int], Iterator[Batch]]
    loss: Loss
    steps: int
    samples: Mapping[str, str]
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None
    judge: Callable[[Mapping[str, float]], float | None] | None = None
    on_checkpoint: Callable[[], None] | None = None
    recipe: Recipe = USUAL


class OpenStage(Protocol):
    """What a training asks of the stage it is part of: where to write, and what its results depend on."""

    @property
    def folder(self) -> Path:
        """Where checkpoint, weights and history go."""

    @property
    def fingerprint(self) -> str:
        """Digest of the settings and inputs; a checkpoint of others is refused."""

    def progress(self, done: int, total: int) -> None:
        """Note how many steps are taken."""

    def finish(
        self, summary: Mapping[str, object] | None = None, *, weights: str | None = None
    ) -> None:
        """Note that every output is in place; `weights` is the digest of the network's."""
