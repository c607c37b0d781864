"""Batches that workers read: those of the plan, in its order; a crash or a hang costs its video alone."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time

import pytest
import torch
from helpers import jobs_for_workers
from helpers.jobs_for_workers import Numbers

from pipeline.data import batches
from pipeline.data.batches import read_batches
from pipeline.errors import UserError

PLAN = [[number, number + 100] for number in range(12)]


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    assert not multiprocessing.active_children()


def read(plan, workers=2, samples=None, collate=list):
    """The batches, and what was lost on the way, which is then not read again."""
    samples = samples or Numbers()
    lost = []

    def give_up(video, reason):
        lost.append((video, reason))
        samples.given_up = (*samples.given_up, video.removeprefix("video "))

    return list(read_batches(samples, plan, collate, workers=workers, lost=give_up)), lost


class Uneven(Numbers):
    """Some take longer."""

    def __getitem__(self, key):
        time.sleep(random.Random(key).uniform(0, 0.02))
        return key


@pytest.mark.parametrize("workers", [0, 1, 2, 5, 40])
def test_batches_come_in_the_order_of_the_plan(workers):
    assert read(PLAN, workers, Uneven()) == (PLAN, [])
    assert read([], workers) == ([], [])


class Tensors(Numbers):
    """Samples of tensors whose sizes go up and down."""

    def __getitem__(self, key):
        generator = torch.Generator().manual_seed(key)
        return torch.randn(key % 5, 3, generator=generator), torch.rand(
            7 * key, generator=generator
        )


def all_kinds(samples):
    """A batch of tensors of many kinds, in the containers there are."""
    first, second = samples[0]
    return {
        "floats": first,
        "turned": first.T,
        "bytes": (second * 255).to(torch.uint8),
        "flags": [second > 0.5, (second.double(), "a word", None)],
        "number": second.sum(),
        "half": second.bfloat16(),
        "names": ["a", "b"],
    }


def flat(value):
    """The tensors of a batch as lists of bytes, for comparison to the bit; the rest as it is."""
    if isinstance(value, torch.Tensor):
        raw = value.contiguous().reshape(-1).view(torch.uint8) if value.numel() else value
        return value.dtype, tuple(value.shape), raw.tolist()
    if isinstance(value, dict):
        return {key: flat(item) for key, item in value.items()}
    return type(value)(map(flat, value)) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_equal_those_read_here_to_the_bit(workers):
    """All are kept, so none lies in memory that a later one was written to."""
    plan = [[number] for number in (3, 9, 0, 14, 5, 1, 25, 2, 10, 4)]
    ours, _ = read(plan, workers, Tensors(), all_kinds)
    here, _ = read(plan, 0, Tensors(), all_kinds)
    assert flat(ours) == flat(here)
    ours[0]["floats"] += 1  # they are this process's own
    assert flat(ours[1:]) == flat(here[1:])


def large(keys):
    return {"clip": torch.full((len(keys), 8, 3, 224, 224), keys[0], dtype=torch.uint8)}


def test_large_batches_come_whole():
    plan = [[number] * 16 for number in range(5)]
    for number, batch in enumerate(read_batches(Numbers(), plan, large, workers=2, lost=print)):
        assert batch["clip"].shape == (16, 8, 3, 224, 224)
        assert bool((batch["clip"] == number).all())


def test_a_worker_that_crashes_costs_the_video_it_was_reading():
    plan = [[0, 1], [2, "crash"], [3], ["crash", 4]]
    found, lost = read(plan)
    assert found == [[0, 1], [2, "no crash"], [3], ["no crash", 4]]
    assert lost == [("video crash", "its process died (SIGSEGV): a library it uses crashed")]


def test_a_worker_that_hangs_costs_the_video_it_was_reading(monkeypatch):
    monkeypatch.setattr(batches, "READ_SECONDS", 1.5)
    found, lost = read([[0], ["hang"], [1], ["hang", 2], [3]])
    assert found == [[0], ["no hang"], [1], ["no hang", 2], [3]]
    assert lost == [("video hang", "no progress for 1.5 s; given up")]


class Slow(Numbers):
    """A batch takes longer than a sample may."""

    def __getitem__(self, key):
        time.sleep(0.8)
        return key


def test_slow_batches_and_slow_training_steps_are_no_hang(monkeypatch):
    monkeypatch.setattr(batches, "READ_SECONDS", 1.5)
    found = []
    for batch in read_batches(Slow(), [[0, 1, 2], [3], [4]], list, workers=1, lost=print):
        found.append(batch)
        if batch == [3]:
            time.sleep(2.5)
    assert found == [[0, 1, 2], [3], [4]]


def test_what_is_lost_may_end_the_reading():
    def refuse(video, reason):
        raise UserError(f"{video}: {reason}")

    stream = read_batches(Numbers(), [[1], ["crash"], [2]], list, workers=2, lost=refuse)
    assert next(stream) == [1]
    with pytest.raises(UserError, match="video crash: its process died .SIGSEGV."):
        next(stream)


def killed(samples):
    if samples == [3]:
        os.kill(os.getpid(), signal.SIGKILL)
    return samples


def test_a_worker_that_dies_between_two_videos_is_told_of():
    """No video is to blame: memory that ran out, most likely."""
    stream = read_batches(Numbers(), [[n] for n in range(6)], killed, workers=2, lost=print)
    assert [next(stream) for _ in range(3)] == [[0], [1], [2]]
    with pytest.raises(UserError, match=r"between two videos: its process died \(SIGKILL\)"):
        next(stream)


def test_idle_workers_that_are_killed_cost_no_batch_that_has_come():
    stream = read_batches(Numbers(), [[n] for n in range(9)], list, workers=2, lost=print)
    found = [next(stream)]
    time.sleep(0.5)  # both have read ahead as far as they may
    for process in multiprocessing.active_children():
        process.kill()
    with pytest.raises(UserError, match="between two videos"):
        found.extend(stream)
    assert found == [[n] for n in range(len(found))] and len(found) >= 4


@pytest.mark.parametrize(
    ("key", "kind", "said"),
    [
        ("refuse", UserError, "^no such file$"),
        ("huge", UserError, "not enough memory"),
        ("defect", RuntimeError, "reading a batch: defect: KeyError: 'x'"),
    ],
)
def test_errors_come_in_their_batchs_turn(key, kind, said):
    found = []
    with pytest.raises(kind, match=said) as caught:
        for batch in read_batches(Numbers(), [[0], [1], [key], [2]], list, workers=3, lost=print):
            found.append(batch)  # noqa: PERF402 (what came before the error is looked at)
    assert found == [[0], [1]]
    if key == "defect":  # with --debug, where it happened
        assert "__getitem__" in str(caught.value.__cause__)


def test_reading_that_is_broken_off_leaves_no_process():
    stream = read_batches(Numbers(), [[0], ["hang"], [1]], list, workers=2, lost=print)
    assert next(stream) == [0]
    assert len(multiprocessing.active_children()) == 2
    stream.close()


def test_this_processs_signals_and_hooks_are_left_alone():
    def state():
        children = signal.getsignal(signal.SIGCHLD), signal.pthread_sigmask(signal.SIG_BLOCK, [])
        return children, sys.excepthook, sys.unraisablehook

    before = state()
    for _ in read_batches(Numbers(), PLAN, list, workers=2, lost=print):
        assert state() == before
    assert state() == before


ORPHANS = """
from helpers.jobs_for_workers import Numbers
from pipeline.data.batches import read_batches
for batch in read_batches(Numbers(), [[0], [1], [2], ["hang"], [3]], list, workers=2, lost=print):
    print(batch, flush=True)
"""


def test_workers_die_with_their_parent():
    """Killed outright, with one worker in a video that hangs."""
    assert jobs_for_workers.kill_and_look(ORPHANS) == []


UNFINISHED = """
from helpers.jobs_for_workers import Numbers
from pipeline.data.batches import read_batches
stream = read_batches(Numbers(), [[0], [1], ["hang"], [3]], list, workers=2, lost=print)
kept = [stream]
kept.append(kept)  # collected at the very end, if at all
print("begun", next(stream)[0] or "", flush=True)
"""


def test_a_process_ends_with_its_reading_unfinished():
    with jobs_for_workers.parent(UNFINISHED) as process:
        assert process.wait(timeout=60) == 0


SUSPENDED = """
from helpers.jobs_for_workers import Numbers
from pipeline.data import batches
batches.READ_SECONDS = 4.0
for batch in batches.read_batches(Numbers(), [["quiet"]], list, workers=1, lost=print):
    print(*batch, flush=True)
"""


def test_a_run_that_was_suspended_has_not_hung():
    """Ctrl-Z, or a scheduler that stops a job: the clock runs on, the work does not."""
    assert jobs_for_workers.suspend(SUSPENDED, 5) == "done\n"
