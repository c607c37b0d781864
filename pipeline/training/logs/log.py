"""What the training loop tells of its steps and epochs, and who receives it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from pipeline.training.logs.metrics import EPOCH, STEP, MetricsFile, Row


class Log(Protocol):
    """Who a training tells what it does; nothing of it comes back."""

    def begin(self, taken: int, ended: int) -> None:
        """Resume after this many steps and epochs of the training; what was recorded of later ones is forgotten."""

    def step(self, epoch: int, step: int, rate: float, terms: Mapping[str, float]) -> None:
        """A step was taken: its number and that of its epoch, from 1, its learning rate and the terms of its loss."""

    def epoch(self, step: int, figures: Mapping[str, float]) -> None:
        """An epoch has ended after this step; `figures` is its row of the history."""

    def save(self) -> None:
        """What was recorded so far outlives this process: a checkpoint is written next."""

    def close(self) -> None:
        """Nothing more will be recorded."""


class Tracker(Protocol):
    """A program that shows rows of metrics while a training runs."""

    def begin(self, rows: Iterable[Row]) -> None:
        """Begin with the rows that were written before this process."""

    def add(self, row: Row) -> None:
        """Show another row."""

    def save(self) -> None:
        """Write what is waiting."""

    def close(self) -> None:
        """Write what is waiting, and end."""


class Silent:
    """The log of a training without one: in tests, and in processes beside the main one."""

    def begin(self, taken: int, ended: int) -> None:
        """See Log.begin."""

    def step(self, epoch: int, step: int, rate: float, terms: Mapping[str, float]) -> None:
        """See Log.step."""

    def epoch(self, step: int, figures: Mapping[str, float]) -> None:
        """See Log.epoch."""

    def save(self) -> None:
        """See Log.save."""

    def close(self) -> None:
        """See Log.close."""


class TrainingLog:
    """A training's rows, in its metrics.csv and to trackers. `batch`: samples of a step, for the throughput.

    `seconds` of a row count from the beginning of the training, without the time between two processes.
    """

    def __init__(self, metrics: MetricsFile, trackers: Sequence[Tracker], batch: int) -> None:
        self._metrics, self._trackers, self._batch = metrics, trackers, batch
        self._began = self._last = time.monotonic()
        self._before = 0.0  # seconds of the processes before
        self._since, self._steps = 0.0, 0  # seconds and steps of this epoch

    def begin(self, taken: int, ended: int) -> None:
        """See Log.begin."""
        rows = self._metrics.begin(taken, ended)
        self._before = float(rows[-1].get("seconds", 0.0)) if rows else 0.0
        for tracker in self._trackers:
            tracker.begin(rows)
        self._began = self._last = time.monotonic()

    def step(self, epoch: int, step: int, rate: float, terms: Mapping[str, float]) -> None:
        """See Log.step."""
        now = time.monotonic()
        spent, self._last = now - self._last, now
        self._since, self._steps = self._since + spent, self._steps + 1
        self._add(STEP, epoch, step, rate, self._batch / max(spent, 1e-9), terms)

    def epoch(self, step: int, figures: Mapping[str, float]) -> None:
        """See Log.epoch."""
        others = {name: value for name, value in figures.items() if name not in {"epoch", "lr"}}
        speed = self._batch * self._steps / max(self._since, 1e-9)
        self._add(EPOCH, int(figures["epoch"]), step, figures["lr"], speed, others)
        self._since, self._steps = 0.0, 0
        self._last = time.monotonic()  # the validation counts for no step

    def _add(
        self,
        kind: str,
        epoch: int,
        step: int,
        rate: float,
        speed: float,
        others: Mapping[str, float],
    ) -> None:
        row: dict[str, float | str] = {"row": kind, "epoch": epoch, "step": step}
        row |= {"learning_rate": rate}
        row["seconds"] = round(self._before + time.monotonic() - self._began, 3)
        row["samples_per_second"] = float(f"{speed:.4g}")
        row |= others
        self._metrics.add(row)
        for tracker in self._trackers:
            tracker.add(row)

    def save(self) -> None:
        """See Log.save."""
        self._metrics.save()
        for tracker in self._trackers:
            tracker.save()

    def close(self) -> None:
        """See Log.close."""
        self._metrics.save()
        for tracker in self._trackers:
            tracker.close()
