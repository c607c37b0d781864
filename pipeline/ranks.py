"""Which of the processes that share a run this one is, from torchrun's environment."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Ranks:
    """This process's number among `size`, and its number on its machine."""

    rank: int
    size: int
    local: int

    @property
    def is_main(self) -> bool:
        """Whether this process writes shared files and prints for all."""
        return self.rank == 0


def ranks() -> Ranks:
    """The process's place; alone it is 0 of 1."""
    rank, size, local = (
        int(os.environ.get(name, "0")) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    )
    return Ranks(rank, size, local) if size > 1 else Ranks(0, 1, 0)
