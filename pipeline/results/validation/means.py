"""The mean of each term of a loss over samples, shared by all processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from torch import nn

from pipeline.data.order import own_shard
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.training.steps import Batch

# What is asked for: the numbers of the samples of each batch.
ReadBatches = Callable[[Sequence[Sequence[int]]], Iterator[Batch]]
# The terms of each sample of a batch, taken alone; the numbers are those of its samples.
TermsOf = Callable[[Batch, Sequence[int]], list[dict[str, float]]]


def mean_terms(
    model: nn.Module, plan: Sequence[Sequence[int]], read: ReadBatches, terms_of: TermsOf
) -> dict[str, float]:
    """The means over all samples of a plan of batches: val_total and so on.

    Several processes each take a part. The model is in eval mode meanwhile.
    """
    own = own_shard(plan)
    was_training = model.training
    model.eval()
    seen: list[dict[str, float]] = []
    for places, batch in zip(own, read(own), strict=True):
        seen += terms_of(batch, places)
    model.train(was_training)
    seen = [terms for part in distributed.gather_values(seen) for terms in part]
    return {f"val_{name}": math.fsum(terms[name] for terms in seen) / len(seen) for name in seen[0]}


def require_samples(title: str, count: int, unit: str) -> None:
    """Refuse an empty validation set. Raises UserError."""
    if not count:
        raise UserError(f"{title}: no {unit} to validate on; raise dataset.hold_out")
