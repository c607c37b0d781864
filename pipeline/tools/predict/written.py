"""What `predict` itself has written: rendered videos and clips are not an input of another call."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.run_folder.ledger import LEDGER, Ledger


class Written:
    """Tells what `predict` wrote: what is in `folder`, where it writes now, and what a ledger beside it lists.

    `folder` is None if nothing is written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = None if folder is None else Path(os.path.realpath(folder))
        self._listed: dict[Path, frozenset[str]] = {}

    def has(self, path: Path, root: Path) -> bool:
        """Whether it wrote this file or folder, which was found on the way from `root`, a folder that was given.

        In a folder that holds the given one (`--to .`) lie videos of the user's, too: there the ledgers alone tell.
        """
        real = Path(os.path.realpath(path.parent)) / path.name
        around = Path(os.path.realpath(root))
        if self._folder is not None and not around.is_relative_to(self._folder):
            inside = Path(os.path.realpath(path)).is_relative_to(self._folder)
        else:
            inside = False
        return inside or any(
            real.relative_to(above).as_posix() in self._names(above) for above in real.parents
        )

    def _names(self, folder: Path) -> frozenset[str]:
        if folder not in self._listed:
            there = os.path.lexists(folder / LEDGER)
            self._listed[folder] = frozenset(Ledger(folder).lines if there else ())
        return self._listed[folder]
