"""Batches read in worker processes, where a crash or a hang costs the video that was being read."""

from __future__ import annotations

import atexit
import mmap
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data import Dataset as TorchDataset

from pipeline.errors import UserError
from pipeline.processes.stopping import SIGNALS, unbroken
from pipeline.processes.workers import death, die_with_parent

READ_SECONDS = 120.0  # a sample that takes longer to read hangs
_LOOK_SECONDS = 1.0
# A process notes how many samples it has begun, and whose it reads.
_COUNT_BYTES, _NOTE_BYTES = 8, 256

Collate = Callable[[list[Any]], dict[str, Any]]


class Samples(Protocol):
    """What batches are made of: a sample a key, and the video a key's sample is read from."""

    def __getitem__(self, key: Any) -> Any: ...

    def video(self, key: Any) -> str:
        """The video a key's sample is read from."""


def read_batches(
    samples: Samples,
    plan: Sequence[Sequence[Any]],
    collate: Collate,
    *,
    workers: int,
    lost: Callable[[str, str], None],
) -> Iterator[dict[str, Any]]:
    """The batches of `plan` (keys of samples) in order, read ahead by `workers` processes.

    A worker that dies or needs more than READ_SECONDS for a sample is ended; `lost(video, reason)` is
    told, and has to see to it that `samples` does not read that video again, or to raise. Reading then
    goes on from the batch that did not come. Without workers nothing guards the reading. Raises
    UserError where reading a sample does. Signals to the whole group are this process's to obey.
    """
    if not workers or not plan:
        for keys in plan:
            yield collate([samples[key] for key in keys])
        return
    done = 0
    while done < len(plan):
        crew = _Crew(samples, plan[done:], collate, workers)
        try:
            while (batch := crew.next()) is not None:
                done += 1
                yield batch
        finally:
            crew.end()
        for video, reason in crew.lost:
            lost(video, reason)


class _Crew:
    """The processes that read a plan, until one of them is lost."""

    def __init__(
        self, samples: Samples, plan: Sequence[Sequence[Any]], collate: Collate, workers: int
    ) -> None:
        workers = min(workers, len(plan))
        self._notes = mmap.mmap(-1, workers * _NOTE_BYTES)  # shared with the processes forked below
        self.lost: list[tuple[str, str]] = []
        self._hung: set[Any] = set()
        self._processes: list[Any] = []
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        before = set(multiprocessing.active_children())
        atexit.register(self.end)  # these processes end for nobody else
        with unbroken(*SIGNALS):
            try:
                self._batches = self._start(samples, plan, collate, workers)
            finally:
                started = set(multiprocessing.active_children()) - before
                self._processes = sorted(started, key=lambda process: process.pid or 0)
        # torch would raise wherever this process happens to be; a wait for a batch finds out, too.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._watcher.start()

    def _start(
        self, samples: Samples, plan: Sequence[Sequence[Any]], collate: Collate, workers: int
    ) -> Iterator[dict[str, Any]]:
        return iter(
            DataLoader(
                _Watched(samples, self._notes),
                batch_sampler=plan,
                num_workers=workers,
                collate_fn=_Collated(collate),
                worker_init_fn=_begin,
                pin_memory=torch.cuda.is_available(),
                # Workers only read; forking them is cheap, and no reader is open in this process.
                multiprocessing_context="fork",
            )
        )

    def next(self) -> dict[str, Any] | None:
        """The next batch; None after the last, and where a process was lost (`lost` says by what)."""
        try:
            batch = next(self._batches, None)
        except RuntimeError as error:
            gone = [p for p in self._processes if p.exitcode not in (0, None)]
            if not gone:
                raise
            self.lost = [self._blame(process) for process in gone]
            if not all(video for video, _ in self.lost):
                reason = next(reason for video, reason in self.lost if not video)
                raise UserError(
                    f"a process that reads videos ended between two of them: {reason}; the same command "
                    "goes on (too little memory? use fewer --workers)"
                ) from error
            return None
        if batch is not None and "refused" in batch:
            raise UserError(batch["refused"])
        return batch

    def end(self) -> None:
        """Leave no process behind."""
        self._over.set()
        for process in self._processes:
            process.kill()
        self._batches = iter(())
        atexit.unregister(self.end)

    def _watch(self) -> None:
        """End a process that reads one sample for READ_SECONDS.

        They are counted while this process is awake: a run that was suspended has not hung.
        """
        notes = [b""] * len(self._processes)
        seconds = [0.0] * len(self._processes)
        while not self._over.wait(_LOOK_SECONDS):
            for number, process in enumerate(self._processes):
                note = self._note(number)
                reads_on = note == notes[number] and bool(note[_COUNT_BYTES:])
                seconds[number] = seconds[number] + _LOOK_SECONDS if reads_on else 0.0
                notes[number] = note
                if seconds[number] >= READ_SECONDS:
                    self._hung.add(process)
                    process.kill()

    def _note(self, number: int) -> bytes:
        place = number * _NOTE_BYTES
        return self._notes[place : place + _NOTE_BYTES].rstrip(b"\0")

    def _blame(self, process: Any) -> tuple[str, str]:
        note = self._note(self._processes.index(process))
        video = note[_COUNT_BYTES:].decode(errors="replace")
        if process in self._hung:
            return video, f"no progress for {READ_SECONDS:g} s, given up"
        return video, f"its process died ({death(process.exitcode)})"


class _Watched(TorchDataset):
    """Samples whose reading is noted where the parent sees it."""

    def __init__(self, samples: Samples, notes: mmap.mmap) -> None:
        self._samples, self._notes, self._begun = samples, notes, 0

    def __getitem__(self, key: Any) -> Any:
        self._note(self._samples.video(key))
        try:
            return self._samples[key]
        except UserError as error:  # an exception would arrive as a traceback
            return _Refused(error.message)
        finally:
            self._note("")

    def _note(self, video: str) -> None:
        self._begun += 1
        place = get_worker_info().id * _NOTE_BYTES
        note = self._begun.to_bytes(_COUNT_BYTES, "little") + video.encode(errors="replace")
        self._notes[place : place + _NOTE_BYTES] = note[:_NOTE_BYTES].ljust(_NOTE_BYTES, b"\0")


class _Refused:
    """A sample that raised UserError, and what it said."""

    def __init__(self, message: str) -> None:
        self.message = message


class _Collated:
    """Makes a batch of samples, or tells of the first that was refused."""

    def __init__(self, collate: Collate) -> None:
        self._collate = collate

    def __call__(self, samples: list[Any]) -> dict[str, Any]:
        for sample in samples:
            if isinstance(sample, _Refused):
                return {"refused": sample.message}
        return self._collate(samples)


def _begin(number: int) -> None:
    """A worker ends with its parent, also where reading hangs."""
    threading.Thread(target=die_with_parent, daemon=True).start()
    sys.excepthook = _tell


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    # A run that stops while it takes a batch hangs up on the thread that hands it over.
    if not isinstance(error, (ConnectionError, EOFError)):
        sys.__excepthook__(kind, error, trace)
