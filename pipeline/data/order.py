"""In which order samples and videos are taken, and which of the processes of a run takes which."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np
import torch

from pipeline.ranks import ranks
from pipeline.seeds import step_seed

Item = TypeVar("Item")


def epoch_order(count: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Shuffled batches of sample indices of an epoch; the last, smaller one is kept."""
    generator = torch.Generator().manual_seed(step_seed(seed, epoch))
    order = torch.randperm(count, generator=generator).tolist()
    return [order[i : i + batch_size] for i in range(0, count, batch_size)]


def full_batches(count: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """As `epoch_order`, without a last, smaller batch where there is another: its samples come in other epochs."""
    batches = epoch_order(count, batch_size, seed, epoch)
    return batches[:1] + [batch for batch in batches[1:] if len(batch) == batch_size]


def grouped_order(groups: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Shuffled batches of sample indices of an epoch, each within one of the `groups` [count].

    A last batch of one sample joins the one before it, where its group has one. The number of batches is
    that of every epoch.
    """
    generator = torch.Generator().manual_seed(step_seed(seed, epoch))
    order = torch.randperm(len(groups), generator=generator).numpy()
    batches: list[list[int]] = []
    for group in np.unique(groups):
        members = order[groups[order] == group].tolist()
        parts = [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
        if len(parts) > 1 and len(parts[-1]) == 1:
            parts[-2:] = [parts[-2] + parts[-1]]
        batches += parts
    shuffled = torch.randperm(len(batches), generator=generator).tolist()
    return [batches[place] for place in shuffled]


def own_shard(items: Sequence[Item]) -> list[Item]:
    """This process's stretch of a batch: equal shares in order, the first ones an item longer."""
    place = ranks()
    share, longer = divmod(len(items), place.size)
    start = place.rank * share + min(place.rank, longer)
    return list(items[start : start + share + (place.rank < longer)])


def own_pieces(items: Sequence[Item], pieces: int) -> tuple[list[Item], list[int]]:
    """This process's part of a batch in `pieces`: its items, and the number of each one's piece.

    A piece is a stretch of the batch, and shared as `own_shard` shares it: it is the same however many
    processes there are. Fewer pieces where one would have nothing for a process.
    """
    count = max(1, min(pieces, len(items) // ranks().size))
    bounds = [len(items) * place // count for place in range(count + 1)]
    shards = [own_shard(items[first:stop]) for first, stop in pairwise(bounds)]
    own = [item for shard in shards for item in shard]
    return own, [number for number, shard in enumerate(shards) for _ in shard]


class TrainingPlan(Generic[Item]):
    """This process's samples of each batch from a position of a training to its end, in order.

    `batches` gives the batches of an epoch: no more than one epoch is listed at a time. `key` makes a sample's key of
    (epoch, place of its batch, number).
    """

    def __init__(
        self,
        batches: Callable[[int], Sequence[Sequence[int]]],
        key: Callable[[int, int, list[int]], list[Item]],
        *,
        epochs: int,
        pieces: int,
        epoch: int,
        step: int,
    ) -> None:
        self._batches, self._key = batches, key
        self._epochs, self._pieces = range(epoch, epochs), pieces
        self._step = step
        self._places: deque[list[int]] = deque()  # of batches that were asked for

    def __iter__(self) -> Iterator[list[Item]]:
        """The keys of each batch."""
        step = self._step
        for epoch in self._epochs:
            batches = self._batches(epoch)
            for place in range(step, len(batches)):
                own, places = own_pieces(batches[place], self._pieces)
                self._places.append(places)
                yield self._key(epoch, place, own)
            step = 0

    def places(self) -> list[int]:
        """Of which of the pieces of its batch each sample is, of the next batch that was asked for."""
        return self._places.popleft()


def numbered(epoch: int, place: int, numbers: list[int]) -> list[tuple[int, int]]:
    """Keys (epoch, number)."""
    return [(epoch, number) for number in numbers]


def deal(weights: Sequence[float], size: int) -> list[list[int]]:
    """Indices dealt to `size` processes so that their weights come out about equal.

    The heaviest first, each to the process with the least; a process's own are in falling order.
    """
    order = sorted(range(len(weights)), key=lambda index: (-weights[index], index))
    loads = [(0.0, rank) for rank in range(size)]
    dealt: list[list[int]] = [[] for _ in range(size)]
    for index in order:
        load, rank = heapq.heappop(loads)
        dealt[rank].append(index)
        heapq.heappush(loads, (load + weights[index], rank))
    return dealt
