"""One step of a training: a batch in pieces, forward, backward, and what was not finite."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.processes.device import autocast
from pipeline.ranks import ranks

Batch = Mapping[str, Any]
Loss = Callable[[nn.Module, Batch, torch.Generator], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Stepper:
    """How every step of a training is taken.

    `model` is the one whose gradients are averaged over the processes. `grad_clip` limits the norm of
    the gradient, of each of the parts `clipped` where there are some, `gradient_accumulation` takes a batch in
    that many pieces.
    """

    model: nn.Module
    loss: Loss
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    generator: torch.Generator
    precision: str
    grad_clip: float | None
    gradient_accumulation: int
    clipped: Sequence[nn.Module] = ()

    def take(self, batch: Batch, number: int, rate: float) -> dict[str, float]:
        """Take step `number` of the training at a learning rate: the terms of the loss.

        Raises UserError on a loss or gradient that is not finite; the weights are then as they were.
        """
        terms, fault = self._step(_pieces(batch, self.gradient_accumulation))
        if fault is None:
            return terms
        shown = ", ".join(list(dict.fromkeys(batch.get("names", ())))[:8])
        raise UserError(
            f"{fault} at step {number}, learning rate {rate:.3g}, batch of {shown}; "
            "lower base_lr or check these videos"
        )

    def _step(self, pieces: Sequence[tuple[Batch, float]]) -> tuple[dict[str, float], str | None]:
        """The terms of the loss, and what was not finite; the weights are then as they were."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        values: dict[str, float] = {}
        for number, (piece, share) in enumerate(pieces, start=1):
            with _gradients_kept(self.model, number < len(pieces)):
                with autocast(self.generator.device, self.precision):
                    terms = self.loss(self.model, piece, self.generator)
                for name, term in terms.items():
                    values[name] = values.get(name, 0.0) + share * float(term.detach())
                if not math.isfinite(values["total"]):
                    return values, f"loss is {values['total']}"
                torch.autograd.backward(self.scaler.scale(terms["total"] * share))
        self.scaler.unscale_(self.optimizer)
        limit = math.inf if self.grad_clip is None else self.grad_clip
        norm = sum(  # finite where all are
            float(nn.utils.clip_grad_norm_(part.parameters(), limit))
            for part in self.clipped or [self.model]
        )
        # In float16 the first ones overflow: the scaler leaves them out and lowers its scale.
        if not math.isfinite(norm) and self.scaler.get_scale() <= 1:
            return values, f"gradient is {norm}"
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return values, None


def _gradients_kept(model: nn.Module, waits: bool) -> contextlib.AbstractContextManager[object]:
    """Where the gradients of a piece wait for those of the next before processes average them."""
    if waits and isinstance(model, DistributedDataParallel):
        return model.no_sync()
    return contextlib.nullcontext()


def to_device(batch: Batch, device: torch.device) -> Batch:
    """A batch with its tensors on a device."""
    return {
        key: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
        for key, value in batch.items()
    }


def _pieces(batch: Batch, count: int) -> list[tuple[Batch, float]]:
    """A batch in its `pieces`, `count` at most, each with its share of the batch of all processes."""
    if count == 1:
        return [(batch, 1.0)]
    own = [batch["pieces"].count(number) for number in range(count)]
    joined = _joined(distributed.gather_values(own))
    ends = accumulate((sizes[ranks().rank] for sizes in joined), initial=0)
    total = sum(map(sum, joined))
    return [
        ({key: value[first:stop] for key, value in batch.items()}, sum(sizes) / total)
        for (first, stop), sizes in zip(pairwise(ends), joined, strict=True)
    ]


def _joined(sizes: Sequence[Sequence[int]]) -> list[list[int]]:
    """Sizes [process][piece] as [piece][process], where every process has something of every piece.

    Neighbours are joined for that: samples that could not be read leave a piece without some of its own.
    """
    joined: list[list[int]] = []
    waiting = [0] * len(sizes)
    for piece in zip(*sizes, strict=True):
        waiting = [sum(pair) for pair in zip(waiting, piece, strict=True)]
        if all(waiting):
            joined.append(waiting)
            waiting = [0] * len(sizes)
    if any(waiting):
        last = joined.pop() if joined else [0] * len(sizes)
        joined.append([sum(pair) for pair in zip(last, waiting, strict=True)])
    return joined
