"""Batches read in worker processes, where a crash or a hang costs the video that was being read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import torch

from pipeline.errors import UserError, machine_error
from pipeline.processes.shared_batches import Packed, SharedBuffer, pack, unpack
from pipeline.processes.worker_main import Answer, Handler, Heartbeat
from pipeline.processes.workers import Worker, listen

READ_SECONDS = 120.0  # a sample that takes longer to read hangs
_AHEAD = 2  # batches that each worker reads ahead

Collate = Callable[[list[Any]], dict[str, Any]]


class Samples(Protocol):
    """What batches are made of: a sample a key, and the video a key's sample is read from."""

    def __getitem__(self, key: Any) -> Any: ...

    def video(self, key: Any) -> str:
        """The video a key's sample is read from."""


def read_batches(
    samples: Samples,
    plan: Iterable[Sequence[Any]],
    collate: Collate,
    *,
    workers: int,
    lost: Callable[[str, str], None],
) -> Iterator[dict[str, Any]]:
    """The batches of `plan` (keys of samples) in order, read ahead by `workers` processes.

    No more of the plan is asked for than is read ahead: it may be long, and made while it is read. A worker that
    dies or needs more than READ_SECONDS for a sample is ended; `lost(video, reason)` is called, and has to make sure
    that `samples` does not read that video again, or to raise. Reading then continues with the batch that did not come.
    So no wait for a batch is without an end. Without workers nothing guards the reading. Raises UserError if reading a sample does. Signals to the whole group are this process's to obey.
    With CUDA, tensors that workers read are in pinned memory.
    """
    if not workers:
        for keys in plan:
            yield collate([samples[key] for key in keys])
        return
    ahead = _Ahead(plan)
    while count := ahead.upcoming(workers):
        readers = _Readers(samples, ahead, collate, count)
        try:
            readers.start()
            for batch in readers.batches():
                ahead.drop()
                yield batch
        finally:
            readers.end()
        for video, reason in readers.lost.items():
            lost(video, reason)


def stacked(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Samples as a batch: their tensors stacked, `names` as a list."""
    batch: dict[str, Any] = {
        key: torch.stack([torch.as_tensor(sample[key]) for sample in samples])
        for key in samples[0]
        if key != "names"
    }
    return batch | {"names": [sample["names"] for sample in samples]}


def no_features_without(title: str) -> Callable[[str, str], None]:
    """What is reported about a video whose features cannot be read in a training. Raises UserError: a training never continues without it."""

    def refuse(video: str, reason: str) -> None:
        raise UserError(
            f"{title}: reading the features of video {video}: {reason}; delete their file and run "
            "`tada-loc extract` again"
        )

    return refuse


class _Ahead:
    """The batches of a plan that have not come yet, as far as they were looked at; the first of them is number 0."""

    def __init__(self, plan: Iterable[Sequence[Any]]) -> None:
        self._rest, self._waiting = iter(plan), deque[Sequence[Any]]()

    def upcoming(self, most: int) -> int:
        """How many there are, `most` at most."""
        while len(self._waiting) < most:
            keys = next(self._rest, None)
            if keys is None:
                break
            self._waiting.append(keys)
        return min(most, len(self._waiting))

    def get(self, number: int) -> Sequence[Any] | None:
        """The keys of one of them; None if the plan ends before."""
        return self._waiting[number] if self.upcoming(number + 1) > number else None

    def drop(self) -> None:
        """The first has come."""
        self._waiting.popleft()


class _Readers:
    """Workers that read a plan in order, until a batch does not come."""

    def __init__(self, samples: Samples, plan: _Ahead, collate: Collate, count: int) -> None:
        self._plan = plan
        self.lost: dict[str, str] = {}  # why, by video
        self._buffers = [[SharedBuffer() for _ in range(_AHEAD)] for _ in range(count)]
        # Readers only read: forking them is cheap, and no video is open in this process.
        self._workers = [
            Worker(_reader, (samples, collate, buffers), method="fork", timeout=READ_SECONDS)
            for buffers in self._buffers
        ]
        self._given = self._yielded = 0  # batches so far
        self._by: dict[int, tuple[int, int]] = {}  # of one given: who reads it, into which buffer
        self._come: dict[int, Answer] = {}

    def start(self) -> None:
        for worker in self._workers:
            worker.start()
        for place in range(_AHEAD):
            for reader in range(len(self._workers)):
                self._give(reader, place)

    def _give(self, reader: int, place: int) -> None:
        """Have the next batch read into a buffer that is free."""
        number = self._given
        keys = self._plan.get(number - self._yielded)
        if keys is not None:
            self._given += 1
            self._by[number] = (reader, place)
            # Refused by one that is dead, it is missed when its turn comes.
            self._workers[reader].give((number, place, keys))

    def batches(self) -> Iterator[dict[str, Any]]:
        """The batches in order; they end early where one is lost."""
        pinned = torch.cuda.is_available()
        while self._yielded < self._given:
            packed = self._wait_for(self._yielded)
            if packed is None:
                return
            reader, place = self._by.pop(self._yielded)
            batch = unpack(packed, self._buffers[reader][place], pinned=pinned)
            self._give(reader, place)
            self._yielded += 1
            yield batch

    def _wait_for(self, number: int) -> Packed | None:
        reader = self._workers[self._by[number][0]]
        while number not in self._come:
            if reader.lost is not None:
                self._blame(reader, reader.lost)
                return None
            for worker, answer in listen(self._workers, READ_SECONDS):
                self._come[worker.jobs.popleft()[0]] = answer
        answer = self._come.pop(number)
        if answer.refused is not None:
            raise UserError(answer.refused)
        if answer.reason is not None:
            trace = RuntimeError(answer.trace) if answer.trace else None
            raise RuntimeError(f"reading a batch: {answer.reason}") from trace
        packed: Packed = answer.result
        return packed

    def _blame(self, reader: Worker, reason: str) -> None:
        """Note what the reader of the missing batch was reading, and others that are lost by now."""
        if not reader.about:
            raise UserError(
                f"a process that reads videos ended between two videos: {reason}; run the same "
                "command again to resume (--workers 0 reads in this process)"
            )
        for worker in (reader, *self._workers):
            if worker.lost is not None and worker.about:
                self.lost.setdefault(worker.about, worker.lost)

    def end(self) -> None:
        """Leave no process behind."""
        for worker in self._workers:
            worker.end()
        for buffer in (buffer for buffers in self._buffers for buffer in buffers):
            buffer.close()


def _reader(samples: Samples, collate: Collate, buffers: Sequence[SharedBuffer]) -> Handler:
    """What a worker does with (number, buffer, keys): the batch of these keys, put into that buffer."""
    torch.set_num_threads(1)

    def handle(job: tuple[int, int, Sequence[Any]], heartbeat: Heartbeat) -> Packed:
        _, place, keys = job
        try:
            read = []
            for key in keys:
                heartbeat(samples.video(key))
                read.append(samples[key])
            heartbeat()
            return pack(collate(read), buffers[place])
        except Exception as error:
            if (said := machine_error(error)) is not None:
                raise said from error
            raise

    return handle
