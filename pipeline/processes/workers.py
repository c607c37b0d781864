"""Jobs in child processes, where a crash or a hang costs the job and nothing else.

A `Worker` is a child process with a heartbeat, `listen` finds those that died or are silent, `run_jobs` spreads jobs.
"""

from __future__ import annotations

import atexit
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from pipeline.errors import UserError
from pipeline.processes.ends import death, let_go, receive, send
from pipeline.processes.stopping import SIGNALS, unbroken
from pipeline.processes.worker_main import Answer, Coming, Handler, Heartbeat, Outcome, work
from pipeline.processes.worker_main import SharedHeartbeat as Shared

Watch = Callable[..., None]  # (job, about): what the process that does a job spoke of last

__all__ = ["Handler", "Heartbeat", "Outcome", "Worker", "listen", "outcomes", "run_jobs"]
START_SECONDS = 300.0  # for a process to import its modules and build its network
_LISTEN_SECONDS, _END_SECONDS, _ASK_SECONDS = 1.0, 5.0, 0.2


class Worker:
    """A child process that does jobs in the order they are given; `end` it, whatever happens.

    It is started apart from being made, so that a signal meanwhile finds it where it will be ended. It calls
    `setup(*arguments)` once, and the handler which that returns once per job. `method` says whether it inherits
    these (fork) or unpickles them (spawn). Silent for `timeout` s in a job (START_SECONDS at first), it is killed.
    """

    def __init__(
        self,
        setup: Callable[..., Handler],
        arguments: Sequence[Any],
        *,
        method: str,
        timeout: float,
    ) -> None:
        self.jobs: deque[Any] = deque()  # given and not answered yet
        self.lost: str | None = None  # why there is no process any more
        self._timeout, self._silent, self._heard = timeout, 0.0, 0
        self._method, self._work = method, (setup, tuple(arguments))
        self._process: BaseProcess | None = None
        self.pipe: Connection

    def start(self) -> None:
        """Start the process. Raises UserError if the machine cannot start one more."""
        context: Any = multiprocessing.get_context(self._method)
        try:
            if self._method == "spawn":
                resource_tracker.ensure_running()  # its start would unblock signals below
            self._heartbeat = Shared()
            # Made here: processes forked before would hold its ends, and no death would close it.
            self.pipe, theirs = context.Pipe()
            forked = self._work if self._method == "fork" else None
            given = (theirs, self._heartbeat, forked)
            process = context.Process(target=work, args=given, daemon=True)
            with theirs, unbroken(*SIGNALS):  # which reach the whole group; workers end by this one
                process.start()
                self._process = process
                atexit.register(self.end)  # multiprocessing would wait: workers obey no signals
        except OSError as error:
            reason = error.strerror or error
            said = f"no more processes could be started ({reason}); use fewer --workers"
            raise UserError(said) from error
        if forked is None:
            self._sent(self._work, START_SECONDS)

    @property
    def set_up(self) -> bool:
        """Whether it has reached its first job."""
        return self._heartbeat.read()[0] > 0

    @property
    def about(self) -> str:
        """What its last heartbeat was about."""
        return self._heartbeat.read()[1]

    def give(self, job: Any) -> bool:
        """Send a job; False where the process died before it could take it."""
        if not self.jobs:
            self._silent = 0.0
        if taken := self._sent(job, self._timeout):
            self.jobs.append(job)
        return taken

    def _sent(self, value: Any, seconds: float) -> bool:
        try:
            assert self._process is not None
            send(self.pipe, self._process, value, seconds)
        except OSError:
            self._note_death()
            return False
        return True

    def hear(self, ready: bool, waited: float) -> Answer | None:
        """Its next answer, if there is one; `waited` seconds went by since it was asked before."""
        if ready:
            try:
                assert self._process is not None
                answer: Answer = receive(self.pipe, self._process, self._timeout)
            except (EOFError, OSError):
                self._note_death()
                return None
            self._silent = 0.0
            return answer
        count, _ = self._heartbeat.read()
        if count != self._heard or not self.jobs:
            self._heard, self._silent = count, 0.0
            return None
        self._silent += waited
        patience = self._timeout if count else max(self._timeout, START_SECONDS)
        if self._silent > patience:
            self._kill()
            self.lost = f"no progress for {patience:g} s; given up"
        return None

    def _note_death(self) -> None:
        assert self._process is not None
        self._process.join(_END_SECONDS)
        self.lost = death(self._process.exitcode)

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join(_END_SECONDS)

    def end(self) -> None:
        """Leave no process behind."""
        self._kill()
        if self._process is not None:
            let_go(self._process)
            self.pipe.close()  # last: a process still there would complain
            self._heartbeat.close()
        atexit.unregister(self.end)


def listen(workers: Sequence[Worker], timeout: float) -> Iterator[tuple[Worker, Answer]]:
    """Wait for `timeout` seconds at most (and one) for answers, and give those that came.

    An answer's job is the first of its worker's `jobs`. Those that died or hang are `lost`.
    """
    living = [worker for worker in workers if worker.lost is None]
    seconds = min(timeout, _LISTEN_SECONDS)
    began = time.monotonic()
    ready = wait([worker.pipe for worker in living], timeout=seconds)
    # A run that was suspended in the meantime (Ctrl-Z, a scheduler) did not hang.
    waited = min(time.monotonic() - began, seconds)
    for worker in living:
        answer = worker.hear(worker.pipe in ready, waited)
        if answer is not None:
            yield worker, answer


def _unwatched(job: Any, about: str = "") -> None: ...


def run_jobs(
    setup: Callable[..., Handler],
    arguments: Sequence[Any],
    jobs: Iterable[Any],
    *,
    workers: int,
    timeout: float,
    watch: Watch = _unwatched,
) -> Iterator[Outcome]:
    """Run every job and yield outcomes as they come.

    A job is asked for when a process is free to do it; None says that there is none just now. Each process calls
    `setup(*arguments)` once and the handler it returns once per job, which has a heartbeat to call; `watch` is shown what
    it says. One that is silent for `timeout` seconds is killed. A job whose process dies or whose handler raises has
    failed; UserError is raised here, and where a process ends before its first job. None outlives the iteration.
    """
    coming = Coming(jobs)
    pool: list[Worker] = []
    try:
        while True:
            while len(pool) < workers and coming.look():
                pool.append(Worker(setup, arguments, method="spawn", timeout=timeout))
                pool[-1].start()
                coming.give(pool[-1].give)
            if not pool and coming.ended:
                return
            for worker, answer in listen(pool, timeout):
                if answer.refused is not None:
                    raise UserError(answer.refused)
                yield Outcome(worker.jobs.popleft(), answer.result, answer.reason)
                coming.give(worker.give)
            for worker in filter(lambda one: one.jobs, pool):
                watch(worker.jobs[0], worker.about)
            yield from _ended(pool, coming)
    finally:
        for worker in pool:
            worker.end()


def _ended(pool: list[Worker], coming: Coming) -> Iterator[Outcome]:
    """Take out of the pool what was lost, or has nothing more to do; jobs of the lost have failed."""
    for worker in list(pool):
        if worker.lost is None and not worker.jobs:
            coming.give(worker.give)  # it had none for a while
        if worker.lost is not None or (not worker.jobs and coming.ended):
            _require_set_up(worker)
            worker.end()
            pool.remove(worker)
            yield from (Outcome(job, reason=worker.lost) for job in worker.jobs)


def _require_set_up(worker: Worker) -> None:
    """Raises UserError if a worker was lost before its first job: the next one would be, too."""
    if worker.lost is not None and not worker.set_up:
        said = (
            f"a worker process ended before its first job: {worker.lost}; --workers 0 works without"
        )
        raise UserError(said)


def outcomes(
    setup: Callable[..., Handler],
    arguments: Sequence[Any],
    jobs: Iterable[Any],
    *,
    workers: int,
    timeout: float,
    watch: Watch = _unwatched,
) -> Iterator[Outcome]:
    """As `run_jobs`; with 0 workers in this process, where nothing protects against crashes and hangs."""
    if workers:
        yield from run_jobs(setup, arguments, jobs, workers=workers, timeout=timeout, watch=watch)
        return
    handle: Handler | None = None
    for job in jobs:
        if job is None:
            time.sleep(_ASK_SECONDS)
            continue
        handle = handle or setup(*arguments)
        try:
            yield Outcome(job, handle(job, partial(watch, job)))
        except (ValueError, OSError) as error:
            yield Outcome(job, reason=str(error))
