"""Jobs in processes of their own, where a crash or a hang costs the job and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from pipeline.errors import UserError, machine_error
from pipeline.processes.stopping import unbroken

START_SECONDS = 300.0  # a process may take for its imports and its network
_LISTEN_SECONDS = 1.0

Beat = Callable[[], None]
Handler = Callable[[Any, Beat], Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its result, or the reason it failed."""

    job: Any
    result: Any = None
    reason: str | None = None


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    job: Any = None
    silent: float = 0.0  # seconds, as far as this process was there to listen
    ready: bool = False  # set up


def outcomes(
    setup: Callable[..., Handler],
    arguments: Sequence[Any],
    jobs: Sequence[Any],
    *,
    workers: int,
    timeout: float,
) -> Iterator[Outcome]:
    """As `run_jobs`; with 0 workers in this process, where nothing guards against crashes and hangs."""
    if workers and jobs:
        count = min(workers, len(jobs))
        yield from run_jobs(setup, arguments, jobs, workers=count, timeout=timeout)
        return
    handle = setup(*arguments) if jobs else None
    for job in jobs:
        try:
            yield Outcome(job, handle(job, lambda: None))
        except (ValueError, OSError) as error:
            yield Outcome(job, reason=str(error))


def run_jobs(
    setup: Callable[..., Handler],
    arguments: Sequence[Any],
    jobs: Sequence[Any],
    *,
    workers: int,
    timeout: float,
) -> Iterator[Outcome]:
    """Run every job and yield outcomes as they come.

    Each process calls `setup(*arguments)` once and the handler it returns once a job; both are sent by
    name, so they must be importable. The handler is given a `beat` to call while it makes progress; a
    process that is silent for `timeout` seconds (START_SECONDS, until it is set up) is killed. A job
    whose process dies or whose handler raises ValueError or OSError has failed; other exceptions, being
    defects, are failures too and say so.
    Raises UserError where setup or handler does: that is no job's fault (a full disk). No process
    outlives the iteration, nor this process, however it ends.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(reversed(jobs))
    pool: list[_Worker] = []
    try:
        while waiting or pool:
            while waiting and len(pool) < workers:
                pool.append(_start(context, setup, arguments))
                _give(pool[-1], waiting.pop())
            began = time.monotonic()
            ready = wait([w.pipe for w in pool], timeout=min(timeout, _LISTEN_SECONDS))
            # A run that was suspended meanwhile (Ctrl-Z, a scheduler) has not hung.
            waited = min(time.monotonic() - began, _LISTEN_SECONDS)
            for worker in list(pool):
                worker.silent += waited
                outcome = _look(worker, worker.pipe in ready, timeout)
                if outcome is None:
                    continue
                yield outcome
                if waiting and worker.process.is_alive() and _give(worker, waiting[-1]):
                    waiting.pop()
                else:
                    _end(worker)
                    pool.remove(worker)
    finally:
        for worker in pool:
            _end(worker)


def _start(context: Any, setup: Callable[..., Handler], arguments: Sequence[Any]) -> _Worker:
    try:
        resource_tracker.ensure_running()  # its start would unblock Ctrl-C below
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, setup, tuple(arguments)), daemon=True)
        # Ctrl-C reaches the whole group: this process decides, and ends its workers.
        with unbroken(signal.SIGINT):
            process.start()
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"no process more could be started ({reason}); give fewer --workers"
        ) from error
    theirs.close()
    return _Worker(process, ours)


def _give(worker: _Worker, job: Any) -> bool:
    worker.job, worker.silent = job, 0.0
    try:
        worker.pipe.send(job)
    except OSError:  # it died while it had nothing to do
        return False
    return True


def _look(worker: _Worker, ready: bool, timeout: float) -> Outcome | None:
    if ready:
        try:
            kind, value = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(5)
            return Outcome(
                worker.job, reason=f"its process died ({death(worker.process.exitcode)})"
            )
        worker.silent = 0.0
        worker.ready = True
        if kind == "beat":
            return None
        if kind == "fatal":
            raise UserError(value)
        return Outcome(worker.job, **{kind: value})
    patience = timeout if worker.ready else max(timeout, START_SECONDS)
    if worker.silent > patience:
        worker.process.kill()
        worker.process.join()
        return Outcome(worker.job, reason=f"no progress for {patience:g} s, given up")
    return None


def death(code: int | None) -> str:
    """What an exit code says of how a process ended."""
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


def _end(worker: _Worker) -> None:
    if worker.process.is_alive():
        worker.process.terminate()
        worker.process.join(5)
        if worker.process.is_alive():
            worker.process.kill()
    worker.process.join()
    worker.pipe.close()  # last: a process still there would complain


def _work(pipe: Connection, setup: Callable[..., Handler], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with_parent, daemon=True).start()
    handle: Handler | None = None
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            if handle is None:
                handle = setup(*arguments)
                pipe.send(("beat", None))
            answer = ("result", handle(job, lambda: pipe.send(("beat", None))))
        except (ValueError, OSError) as error:
            answer = ("reason", str(error))
        except UserError as error:
            answer = ("fatal", error.message)
        except Exception as error:
            said = machine_error(error)  # memory that one job needs and is not there
            reason = said.message if said else f"defect: {type(error).__name__}: {error}"
            answer = ("reason", reason)
        try:
            pipe.send(answer)
        except OSError:  # nobody is there any more
            return


def die_with_parent() -> None:
    """End this process as soon as its parent has, also in the middle of a job that hangs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
