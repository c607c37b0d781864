"""BMN's outputs for a video, kept: proposals of other settings are made of it without the network.

Of the maps those cells are kept that proposals can be made of, pairs of a start peak and an end peak, in float32.
Which these are follows from the boundary probabilities, whatever the powers of a score and soft-NMS, so
proposals are the same exactly; whole maps, even in float16, would take more space.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from torch import Tensor

from bmn import proposal_cells
from bmn.proposals import to_array
from pipeline.array_files import open_npz
from pipeline.run_folder.files import atomic_path
from pipeline.run_folder.identity import record_of
from pipeline.run_folder.ledger import Ledger, Made, fold, is_current

Table = np.ndarray | Tensor


class VideoMaps(NamedTuple):
    """Starts [L], ends [L] and cells [2 or 4, D, L] of a video of L positions, means over windows."""

    start: Table
    end: Table
    cells: Table


class Room(NamedTuple):
    """Bytes that maps may take: of one video, and in all."""

    of_a_video: float
    in_all: float


AUTO = Room(64 << 20, 2 << 30)


def room_of(keep: bool | int | Literal["auto"], processes: int = 1) -> Room:
    """The space that `bmn.keep_maps` gives each of several processes."""
    if keep == "auto":
        room = AUTO
    elif isinstance(keep, bool):
        room = Room(math.inf, math.inf) if keep else Room(0, 0)
    else:
        room = Room(keep, keep)
    return room._replace(in_all=room.in_all / processes)


@dataclass
class KeptMaps:
    """The maps of a run's videos, a file per video in `folder`, each recorded with what it was made by and of.

    `by` is what all are made by now, `of` what each video's is made of; others are not read. `center` is
    `bmn.boundary_center`. A process that works together with others has a `journal` of its own, and knows the
    space that was taken when it began.
    """

    folder: Path
    by: str
    of: Mapping[str, str]
    center: float
    room: Room
    journal: Path | None = None
    verify: bool = False

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.folder, self.journal)
        self.too_large = 0  # videos whose maps were too large

    def has(self, video: str) -> bool:
        """Whether a video's maps are there and current."""
        line, of = self.ledger.get(video), self.of.get(video, "")
        return is_current(self._path(video), line, self.by, of, verify=self.verify)

    def read(self, video: str) -> VideoMaps | None:
        """A video's maps as float32, zero in the cells that make no proposal; None if none are current."""
        if not self.room.in_all or not self.has(video):
            return None
        try:
            with open_npz(self._path(video)) as archive:
                start, end, kept = (archive[name] for name in ("start", "end", "cells"))
                durations = int(archive["durations"])
            cells = np.zeros((len(kept), durations, len(start)), np.float32)
            cells[:, *self._cells(start, end, durations)] = kept
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
            return None  # damaged: they are made again
        return VideoMaps(start, end, cells)

    def write(self, video: str, maps: VideoMaps) -> None:
        """Keep a video's maps, if there is space. Raises UserError if they cannot be written."""
        start, end, cells = (to_array(table) for table in maps)
        duration, first = self._cells(start, end, cells.shape[1])
        arrays = {"start": start, "end": end, "cells": cells[:, duration, first]}
        size = sum(array.nbytes for array in arrays.values())
        if size > self.room.of_a_video or self._taken(video) + size > self.room.in_all:
            self.too_large += 1
            return
        path = self._path(video)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, durations=np.int64(cells.shape[1]), **arrays)  # type: ignore[arg-type]  # numpy takes any names
        file = record_of(path)
        of = self.of.get(video, "")
        self.ledger.note(Made(video=video, by=self.by, of=of, file=file, content=file.sha256))

    def record(self) -> None:
        """Record what all processes have made in one file. Raises UserError if it cannot be written."""
        fold(self.folder)

    def _cells(self, start: Table, end: Table, durations: int) -> tuple[np.ndarray, np.ndarray]:
        return proposal_cells(start, end, durations, boundary_center=self.center)

    def _taken(self, video: str) -> int:
        """Bytes that the other videos' take."""
        return sum(line.file.size for line in self.ledger.lines.values() if line.video != video)

    def _path(self, video: str) -> Path:
        return self.folder / f"{video}.npz"
