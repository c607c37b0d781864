"""A training of a tiny network for tests of the loop: its network, its batches, and what kills it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn


class Killed(Exception):
    """Stands for a kill in the middle of a step."""


def network() -> nn.Module:
    """A network with a batch norm and dropout, the same every time."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))


def batches_of(
    steps: int, epochs: int, names: tuple[str, ...]
) -> Callable[[int, int], Iterator[dict[str, Any]]]:
    """`fit`'s batches from any position on: six samples of four numbers each, by the step's number."""

    def batches(epoch: int, step: int) -> Iterator[dict[str, Any]]:
        for number in range(epoch * steps + step, epochs * steps):
            generator = torch.Generator().manual_seed(number)
            yield {"x": torch.randn(6, 4, generator=generator), "names": list(names)}

    return batches
