"""Less memory for a training step: what a block computes is forgotten, and computed again when needed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Forward = Callable[..., Tensor]


def checkpoint_activations(blocks: Iterable[nn.Module]) -> None:
    """Have each block keep its input alone for the backward pass (activation checkpointing).

    The step is the same: batch norms take the second computation into no running average.
    """
    for block in blocks:
        # a method of its own for this one block
        block.__dict__["forward"] = partial(_forward, block, block.forward)


def _forward(block: nn.Module, forward: Forward, *arguments: object) -> Tensor:
    if not block.training:
        return forward(*arguments)
    contexts = partial(_contexts, block)
    output: Tensor = checkpoint(forward, *arguments, use_reentrant=False, context_fn=contexts)
    return output


def _contexts(
    block: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return contextlib.nullcontext(), _untouched_averages(block)


@contextlib.contextmanager
def _untouched_averages(block: nn.Module) -> Iterator[None]:
    norms = [m for m in block.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    norms = [norm for norm in norms if norm.training]  # a frozen one keeps its averages anyway
    kept = [(norm, norm.momentum) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked -= 1
    try:
        yield
    finally:
        for norm, momentum in kept:
            norm.momentum = momentum
