"""Jobs in processes: a crash or a hang costs the job alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest
from helpers import jobs_for_workers

from pipeline.errors import UserError
from pipeline.processes import workers
from pipeline.processes.workers import outcomes, run_jobs


def results(jobs, workers=2, timeout=30.0):
    found = {}
    for outcome in run_jobs(jobs_for_workers.setup, (10,), jobs, workers=workers, timeout=timeout):
        found[outcome.job] = outcome.reason or outcome.result
    assert not multiprocessing.active_children()
    return found


def test_every_job_is_done_once():
    assert results([1, 2, 3, 4, 5]) == {i: i + 10 for i in range(1, 6)}
    assert results([]) == {}


def test_failures_are_reasons_and_the_rest_goes_on():
    found = results(["crash", 1, "bad", "defect", "huge", 2])
    assert found[1] == 11 and found[2] == 12
    assert "SIGSEGV" in found["crash"]
    assert found["bad"] == "bad job"
    assert found["huge"].startswith("not enough memory")
    assert found["defect"].startswith("defect: KeyError")


def test_silence_is_ended_and_slow_work_is_not():
    found = results(["hang", "slow"], timeout=2.5)
    assert "no progress for 2.5 s" in found["hang"]
    assert found["slow"] == "slow"


def test_stopping_early_leaves_no_process():
    stream = run_jobs(jobs_for_workers.setup, (1,), [1, 2, "hang"], workers=2, timeout=60)
    next(stream)
    stream.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("noticed", [True, False])
def test_a_worker_that_dies_between_two_jobs_costs_none(monkeypatch, noticed):
    """As when memory runs out while this process writes: no job is to blame."""
    found = {}
    stream = run_jobs(jobs_for_workers.setup, (10,), [1, 2, 3, 4], workers=1, timeout=30)
    for outcome in stream:
        found[outcome.job] = outcome.reason or outcome.result
        if outcome.job == 2:
            (process,) = multiprocessing.active_children()
            process.kill()
            process.join()
            if not noticed:  # it was alive when looked at, and dead when given its next job
                monkeypatch.setattr(process, "is_alive", lambda: True)
    assert found == {i: i + 10 for i in range(1, 5)}
    assert not multiprocessing.active_children()


def dies(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(*_):
    time.sleep(600)


@pytest.mark.parametrize(
    ("setup", "said"), [(dies, "SIGKILL.: memory"), (hangs, "no progress for")]
)
def test_a_process_that_ends_before_its_first_job_blames_none(monkeypatch, setup, said):
    """Each one after it would end so as well, for ever."""
    if setup is hangs:
        monkeypatch.setattr(workers, "START_SECONDS", 2.0)
    with pytest.raises(UserError, match=f"ended before its first job: .*{said}.*--workers 0"):
        list(run_jobs(setup, (), [1, 2, 3], workers=2, timeout=2.0))
    assert not multiprocessing.active_children()


def test_large_jobs_arrive():
    job = "x" * 3_000_000
    assert results([job], workers=1)[job].startswith("defect: TypeError")


def test_what_is_no_jobs_fault_ends_them_all():
    with pytest.raises(UserError, match="no space"):
        results(["full disk", *range(50)], workers=1)
    assert not multiprocessing.active_children()


ORPHANS = """
from helpers import jobs_for_workers
from pipeline.processes import workers
from pipeline.processes.workers import outcomes, run_jobs
for _ in run_jobs(jobs_for_workers.setup, (1,), ["hang", 1, 2, 3], workers=2, timeout=600):
    print("one done", flush=True)
"""


def test_workers_die_with_their_parent():
    """Killed outright, with one worker in a job that hangs."""
    assert jobs_for_workers.kill_and_look(ORPHANS) == []


SUSPENDED = """
from helpers import jobs_for_workers
from pipeline.processes import workers
from pipeline.processes.workers import outcomes, run_jobs
for outcome in run_jobs(jobs_for_workers.setup, (1,), ["quiet"], workers=1, timeout=4.0):
    print(outcome.reason or outcome.result, flush=True)
"""


def test_a_run_that_was_suspended_has_not_hung():
    """Ctrl-Z, or a scheduler that stops a job: the clock runs on, the work does not."""
    assert jobs_for_workers.suspend(SUSPENDED, 5) == "done\n"


@pytest.mark.parametrize("workers", [0, 2])
def test_outcomes_are_those_of_jobs_done_here(workers):
    found = {
        outcome.job: outcome.reason or outcome.result
        for outcome in outcomes(
            jobs_for_workers.setup, (10,), [1, "bad", 2, "slow"], workers=workers, timeout=30
        )
    }
    assert found == {1: 11, "bad": "bad job", 2: 12, "slow": "slow"}


@pytest.mark.parametrize("workers", [1, 3])
def test_more_jobs_than_workers(workers):
    assert len(results(list(range(12)), workers=workers)) == 12
