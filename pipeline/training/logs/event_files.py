"""A training in TensorBoard: event files beside its metrics.csv."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.run_folder.files import remove
from pipeline.training.logs.metrics import Row

FOLDER = "tensorboard"
_FLUSH_SECONDS = 10
_NOT_SHOWN = frozenset({"row", "step", "seconds"})


class EventFiles:
    """What TensorBoard shows of a training: scalars `step/NAME` and `epoch/NAME` over steps, settings as text.

    A resumed training is written again from its rows, at the times they were made at: no step appears twice.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        self._folder, self._settings = folder, settings
        self._writer: Any = None
        self._began = 0.0

    def begin(self, rows: Iterable[Row]) -> None:
        """See Tracker.begin."""
        from tensorboard.compat.proto import summary_pb2

        rows, self._summary = list(rows), summary_pb2.Summary
        for old in self._folder.glob("events.out.tfevents.*"):
            remove(old)
        self._writer = _writer(self._folder)
        spent = float(rows[-1]["seconds"]) if rows else 0.0
        self._began = time.time() - spent
        self._writer.add_text("settings", _as_code(self._settings), 0, self._began)
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """See Tracker.add."""
        values = [
            self._summary.Value(tag=f"{row['row']}/{name}", simple_value=float(value))
            for name, value in row.items()
            if name not in _NOT_SHOWN
        ]
        when = self._began + float(row["seconds"])
        self._writer.file_writer.add_summary(self._summary(value=values), int(row["step"]), when)

    def save(self) -> None:
        """See Tracker.save."""
        self._writer.flush()

    def close(self) -> None:
        """See Tracker.close."""
        if self._writer is not None:
            self._writer.close()


def write_figures(folder: Path, figures: Mapping[str, float]) -> None:
    """Write the figures of an evaluation as scalars of one point, in place of those of one before."""
    for old in folder.glob("events.out.tfevents.*"):
        remove(old)
    writer = _writer(folder)
    for name, value in figures.items():
        writer.add_scalar(name, value, 0)
    writer.close()


def _writer(folder: Path) -> Any:
    from torch.utils.tensorboard.writer import SummaryWriter

    make: Any = SummaryWriter  # which has no types
    try:
        return make(str(folder), max_queue=1000, flush_secs=_FLUSH_SECONDS)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _as_code(text: str) -> str:
    """A text as Markdown shows it as it is."""
    return "".join(f"    {line}\n" for line in text.splitlines())
