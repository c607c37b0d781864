"""Which of the processes that share a run this one is, as torchrun's environment tells it."""

from __future__ import annotations

import heapq
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Ranks:
    """This process's number among `size`, and its number on its machine."""

    rank: int
    size: int
    local: int

    @property
    def leads(self) -> bool:
        """Whether this process writes what there is one of, and speaks for all."""
        return self.rank == 0


def ranks() -> Ranks:
    """The process's place; alone it is 0 of 1."""
    rank, size, local = (
        int(os.environ.get(name, "0")) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    )
    return Ranks(rank, size, local) if size > 1 else Ranks(0, 1, 0)


def own_part(items: Sequence[Item]) -> list[Item]:
    """This process's stretch of a batch: equal shares in order, the first ones an item longer."""
    place = ranks()
    share, longer = divmod(len(items), place.size)
    start = place.rank * share + min(place.rank, longer)
    return list(items[start : start + share + (place.rank < longer)])


def deal(weights: Sequence[float], size: int) -> list[list[int]]:
    """Indices dealt to `size` processes so that their weights come out about equal.

    The heaviest first, each to whoever has least; a process's own are in falling order.
    """
    order = sorted(range(len(weights)), key=lambda index: (-weights[index], index))
    loads = [(0.0, rank) for rank in range(size)]
    dealt: list[list[int]] = [[] for _ in range(size)]
    for index in order:
        load, rank = heapq.heappop(loads)
        dealt[rank].append(index)
        heapq.heappush(loads, (load + weights[index], rank))
    return dealt
