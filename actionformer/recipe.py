"""How the network is trained (Zhang et al., ECCV 2022, Sec. 4): weight decay, learning rate, EMA."""

from __future__ import annotations

import math
import re

import torch
from torch import nn

LEAST_RATE = 1e-8
NORM = re.compile(r"(norms?(\.\d+)?|ln\d+)\.weight$")


def decays(name: str) -> bool:
    """Whether weight decay applies to a parameter: weights of convolutions, not norms or scales."""
    return name.endswith("weight") and not NORM.search(name)


def learning_rate(iteration: int, rate: float, *, warmup: int, iterations: int) -> float:
    """The rate of an iteration, counted from 0, of `iterations` in all, those of warm-up included.

    From 0 up to `rate` at iteration warmup - 1, then a half cosine towards 1e-8.
    """
    if iteration < warmup:
        return rate * iteration / max(warmup - 1, 1)
    done = (iteration - warmup) / (iterations - warmup)
    return LEAST_RATE + 0.5 * (rate - LEAST_RATE) * (1 + math.cos(math.pi * done))


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float = 0.999) -> None:
    """decay x average + (1 - decay) x model, in place; it starts as a copy and is what is evaluated."""
    for kept, value in zip(average.parameters(), model.parameters(), strict=True):
        kept.lerp_(value, 1 - decay)
