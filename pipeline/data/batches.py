"""Batches read in worker processes, where a crash or a hang costs the video that was being read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    plan: Sequence[Sequence[Any]],
    collate: Collate,
    *,
    workers: int,
    lost: Callable[[str, str], None],
) -> Iterator[dict[str, Any]]:
    """The batches of `plan` (keys of samples) in order, read ahead by `workers` processes.

    A worker that dies or needs more than READ_SECONDS for a sample is ended; `lost(video, reason)` is
    told, and has to see to it that `samples` does not read that video again, or to raise. Reading then
    goes on from the batch that did not come. So no wait for a batch is without an end. Without workers nothing guards the reading. Raises
    UserError where reading a sample does. Signals to the whole group are this process's to obey.
    With CUDA, tensors that workers read lie in pinned memory.
    """
    if not workers or not plan:
        for keys in plan:
            yield collate([samples[key] for key in keys])
        return
    done = 0
    while done < len(plan):
        readers = _Readers(samples, plan[done:], collate, workers)
        try:
            readers.start()
            for batch in readers.batches():
                done += 1
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
    """What is told of a video whose features cannot be read in a training. Raises UserError: none goes on without."""

    def refuse(video: str, reason: str) -> None:
        raise UserError(
            f"{title}: reading the features of video {video}: {reason}; delete their file and run "
            "`tada-loc extract` again"
        )

    return refuse


class _Readers:
    """Workers that read a plan in order, until a batch does not come."""

    def __init__(
        self, samples: Samples, plan: Sequence[Sequence[Any]], collate: Collate, workers: int
    ) -> None:
        self._plan = plan
        self.lost: dict[str, str] = {}  # why, by video
        count = min(workers, len(plan))
        self._buffers = [[SharedBuffer() for _ in range(_AHEAD)] for _ in range(count)]
        # Readers only read: forking them is cheap, and no video is open in this process.
        self._workers = [
            Worker(_reader, (samples, collate, buffers), method="fork", timeout=READ_SECONDS)
            for buffers in self._buffers
        ]
        self._readers: list[int] = []  # by number of the batch: who reads it, into which buffer
        self._places: list[int] = []
        self._come: dict[int, Answer] = {}

    def start(self) -> None:
        for worker in self._workers:
            worker.start()
        for place in range(_AHEAD):
            for reader in range(len(self._workers)):
                self._give(reader, place)

    def _give(self, reader: int, place: int) -> None:
        """Have the next batch read into a buffer that is free."""
        number = len(self._readers)
        if number < len(self._plan):
            self._readers.append(reader)
            self._places.append(place)
            # Refused by one that is dead, it is missed when its turn comes.
            self._workers[reader].give((number, place, self._plan[number]))

    def batches(self) -> Iterator[dict[str, Any]]:
        """The batches in order; they end early where one is lost."""
        pinned = torch.cuda.is_available()
        for number in range(len(self._plan)):
            packed = self._wait_for(number)
            if packed is None:
                return
            reader, place = self._readers[number], self._places[number]
            batch = unpack(packed, self._buffers[reader][place], pinned=pinned)
            self._give(reader, place)
            yield batch

    def _wait_for(self, number: int) -> Packed | None:
        reader = self._workers[self._readers[number]]
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
                f"a process that reads videos ended between two of them: {reason}; the same command "
                "goes on (--workers 0 reads in this process)"
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
