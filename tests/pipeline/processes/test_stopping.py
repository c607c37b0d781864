"""Ctrl-C, SIGTERM and a terminal that goes away: the checkpoint is written, one line says how to go on, no process is left."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest
from helpers.paths import ROOT
from helpers.processes import session
from helpers.signals import as_usual
from helpers.small_runs import PROGRAM, options, same_results, start, tada, without_stages

from pipeline.errors import UserError
from pipeline.processes.stopping import (
    SIGNALS,
    Stop,
    StopNow,
    Terminated,
    stop_signals,
    terminable,
    unbroken,
)
from pipeline.training.checkpoints import load_state

LONG = ("finetune.epochs=4000", "bmn.epochs=4000", "finetune.warmup_epochs=0")
slow = pytest.mark.slow


# The program as it is, but that it opens a pipe as it opens a file.
TAKES_PIPES = (
    "-c",
    "import pipeline.plain_files as files; files.require_plain = lambda *_: 0; "
    "from pipeline.cli.commands import main; main()",
)


def started(arguments: list[str], program: tuple[str, ...] = PROGRAM) -> subprocess.Popen:
    return start(arguments, program, stderr=subprocess.PIPE, text=True, preexec_fn=as_usual)


def stopped(process: subprocess.Popen, run: Path, sign: str, number: int) -> str:
    """What a run says that is sent a signal once it has written something.

    Ctrl-C goes to the whole group, as a terminal sends it; SIGTERM to the process, or as systemd and
    Slurm do, to all.
    """
    while not list(run.glob(sign)):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)
    assert process.poll() is None, "the run was over before the signal could be sent"
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    lines = [line for line in said.splitlines() if line.startswith("Error")]
    assert len(lines) == 1 and "run the same command again to resume" in lines[0], said
    assert signal.Signals(number).name in lines[0]
    assert "Traceback" not in said and said.count("stopping at") <= 1, said
    until = time.monotonic() + 30
    while session(process.pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not session(process.pid), "a process was left behind"
    return lines[0]


@pytest.mark.parametrize(
    ("stage", "workers", "number"),
    [
        ("finetune", 2, signal.SIGINT),
        pytest.param("finetune", 0, signal.SIGTERM, marks=slow),
        pytest.param("finetune", 2, signal.SIGTERM, marks=slow),
        pytest.param("finetune", 2, signal.SIGHUP, marks=slow),
        pytest.param("bmn", 0, signal.SIGINT, marks=slow),
        pytest.param("bmn", 2, signal.SIGTERM, marks=slow),
    ],
)
def test_training_writes_its_checkpoint_at_the_next_step(
    whole, data, tmp_path, stage, workers, number
):
    """Long before the next checkpoint is due; the same command then resumes from exactly that step."""
    run = tmp_path / "run"
    without_stages(whole, run, stage)
    extra = (*LONG, f"{stage}.checkpoint_seconds=0.5")
    line = [stage, *options(data, run, *extra, workers=workers)]
    first = stopped(started(line), run, f"{stage}/checkpoint.pt", number)
    assert "the checkpoint is written" in first
    state = load_state(run / stage / "checkpoint.pt")
    progress = json.loads((run / stage / "manifest.json").read_text())["progress"]
    assert progress["done"] == state["epoch"] * (progress["total"] // 4000) + state["step"] > 0
    before = (state["epoch"], state["step"])
    (run / stage / "first.pt").write_bytes((run / stage / "checkpoint.pt").read_bytes())
    process = started(line)
    for said in process.stderr:
        if "resuming from" in said:
            assert f"epoch {before[0] + 1}, step {before[1]}" in said
            break
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("stage", "sign", "workers", "number"),
    [
        ("extract", "extract/features/[!.]*.h5", 2, signal.SIGTERM),
        pytest.param("extract", "extract/features/[!.]*.h5", 2, signal.SIGINT, marks=slow),
        pytest.param("extract", "extract/features/[!.]*.h5", 0, signal.SIGINT, marks=slow),
        pytest.param("extract", "extract/features/[!.]*.h5", 0, signal.SIGTERM, marks=slow),
        ("extract", "extract/features/[!.]*.h5", 0, signal.SIGHUP),
    ],
)
def test_extraction_keeps_what_is_done(whole, data, tmp_path, stage, sign, workers, number):
    run = tmp_path / "run"
    without_stages(whole, run, stage)
    # On a busy machine the signal may come as late as in the next stage, which goes on until then.
    line = ["run", *options(data, run, "bmn.epochs=4000", workers=workers)]
    stopped(started(line), run, sign, number)
    shutil.rmtree(run / "bmn", ignore_errors=True)
    kept = {path: path.stat().st_mtime_ns for path in run.glob(sign)}
    assert kept
    result = tada("run", *options(data, run))
    assert result.exit_code == 0, result.output
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    same_results(whole, run)


@slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_classification_of_decoded_clips_keeps_what_is_done(whole, data, tmp_path, number):
    decoded = ["--source", "video"]
    unbroken, run = tmp_path / "unbroken", tmp_path / "run"
    for folder in (unbroken, run):
        without_stages(whole, folder, "classify")
    assert tada("classify", *options(data, unbroken), *decoded).exit_code == 0
    process = started(["classify", *options(data, run, workers=1), *decoded])
    stopped(process, run, "classify/videos/*.npz", number)
    kept = {path: path.stat().st_mtime_ns for path in run.glob("classify/videos/*.npz")}
    assert len(kept) == 1
    result = tada("classify", *options(data, run), *decoded)
    assert result.exit_code == 0, result.output
    one, two = (folder / "classify/detections.csv" for folder in (unbroken, run))
    assert one.read_bytes() == two.read_bytes()
    assert not (run / "classify/videos").exists()


@pytest.mark.parametrize(
    ("stage", "number"),
    [
        pytest.param("eval", signal.SIGTERM, marks=slow),
        pytest.param("eval", signal.SIGINT, marks=slow),
        pytest.param("finetune", signal.SIGTERM, marks=slow),
    ],
)
def test_stopped_before_anything_is_done(whole, data, tmp_path, stage, number):
    """In the middle of reading the annotations: a pipe that gives nothing, as a disk that does not answer."""
    run, pipe = tmp_path / "run", tmp_path / "pipe.csv"
    without_stages(whole, run, "eval")
    os.mkfifo(pipe)
    process = started([stage, *options(data, run, f"dataset.annotations={pipe}")], TAKES_PIPES)
    with pipe.open("w"):  # returns once it is opened for reading
        stopped(process, run, ".lock", number)


def on_a_terminal(arguments: list[str], sign: str, run: Path, hangup: int) -> int:
    """The exit code of a run whose terminal closes once it has written something."""
    ours, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=ROOT,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: signal.signal(signal.SIGHUP, hangup) and None,
        )
    finally:
        os.close(theirs)
    os.set_blocking(ours, False)
    while not list(run.glob(sign)):
        assert process.poll() is None
        with contextlib.suppress(BlockingIOError):
            os.read(ours, 1 << 16)
        time.sleep(0.002)
    os.close(ours)
    if hangup == signal.SIG_IGN:  # as nohup and disown do
        os.killpg(process.pid, signal.SIGHUP)
    return process.wait(timeout=240)


@pytest.mark.parametrize(
    ("stage", "sign", "hangup"),
    [
        ("finetune", "finetune/checkpoint.pt", signal.SIG_IGN),
        ("extract", "extract/features/[!.]*.h5", signal.SIG_DFL),
    ],
)
def test_a_run_outlives_its_terminal(whole, data, tmp_path, stage, sign, hangup):
    """Whether the hangup is ignored or none is sent: what it has to say, nobody hears."""
    run = tmp_path / "run"
    without_stages(whole, run, stage)
    line = [stage, *options(data, run, "finetune.checkpoint_seconds=0.01", workers=1)]
    assert on_a_terminal(line, sign, run, hangup) == 0
    assert tada("run", *options(data, run)).exit_code == 0
    same_results(whole, run)


def from_another_thread(number: int) -> None:
    """A signal that this thread cannot hold back, as the libraries' threads take them."""

    def take() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        signal.pthread_kill(threading.get_ident(), number)

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.parametrize("number", SIGNALS)
def test_the_start_of_a_process_is_not_broken_off(number):
    """The signal is obeyed as soon as the process is there; the handlers are then what they were."""
    reached = []
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(StopNow), stop_signals() as stop, stop.at_once():
        with unbroken(*SIGNALS):
            from_another_thread(number)
            reached.append(stop.number)
        reached.append("past it")
    assert reached == [None] and stop.number == number
    with pytest.raises(KeyboardInterrupt), terminable(), unbroken(signal.SIGINT):
        from_another_thread(number)
        reached.append("no handler ran")
    assert reached == [None, "no handler ran"]
    assert [signal.getsignal(number) for number in SIGNALS] == before


class Signalling:
    """Sends this process a signal while Python destroys it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)
        time.sleep(0)  # the handler runs here at the latest


def in_a_destructor(number: int) -> None:
    Signalling(number)


def in_a_callback(number: int) -> None:
    watched = Stop()
    kept = weakref.ref(watched, lambda dead: (signal.raise_signal(number), time.sleep(0)))
    del watched
    assert kept() is None


def in_a_finalizer(number: int) -> None:
    watched = Stop()
    weakref.finalize(watched, lambda: (signal.raise_signal(number), time.sleep(0)))


def in_a_generator_nobody_holds(number: int) -> None:
    def waits():
        try:
            yield
        finally:
            signal.raise_signal(number)
            time.sleep(0)

    next(waits())


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "send", [in_a_destructor, in_a_callback, in_a_finalizer, in_a_generator_nobody_holds]
)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_where_python_drops_exceptions_is_not_lost(number, send, capfd):
    """What is raised there is dropped; the signal then comes once more."""
    hooks = sys.unraisablehook, sys.excepthook
    with pytest.raises(StopNow), stop_signals() as stop, stop.at_once():
        send(number)
        time.sleep(60)
    assert stop.number == number
    with pytest.raises(Terminated) as raised, terminable():
        assert (sys.unraisablehook, sys.excepthook) == hooks
        send(number)
        time.sleep(60)
    assert raised.value.number == number
    assert not capfd.readouterr().err


def in_a_bare_except(number: int) -> None:
    with contextlib.suppress(BaseException):
        signal.raise_signal(number)
        time.sleep(0)


def in_c_that_asks_for_an_attribute(number: int) -> None:
    class Asked:
        def __getattr__(self, name: str) -> None:
            signal.raise_signal(number)
            time.sleep(0)

    asks = ctypes.pythonapi.PyObject_HasAttrString
    asks.argtypes = [ctypes.py_object, ctypes.c_char_p]
    asks(Asked(), b"anything")


DROPPED = [in_a_bare_except, in_c_that_asks_for_an_attribute]


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("drop", DROPPED)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_others_code_drops_comes_again(number, drop, monkeypatch):
    """It ends what goes on after it; it is not taken for a second one, which would kill."""
    monkeypatch.setattr(os, "_exit", lambda code: pytest.fail("taken for a second signal"))
    with pytest.raises(Terminated) as raised, terminable():
        drop(number)
        time.sleep(60)
    assert raised.value.number == number
    with pytest.raises(StopNow), stop_signals() as stop, stop.at_once():
        drop(number)
        time.sleep(60)
    assert stop.number == number


@pytest.mark.usefixtures("signals_heard")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("drop", [*DROPPED, in_a_destructor])
def test_a_signal_that_others_code_drops_is_obeyed_at_the_end_at_the_latest(drop):
    """Before it comes again, also where the work ends with an error of its own."""
    with pytest.raises(Terminated) as raised, terminable():
        drop(signal.SIGTERM)
    assert raised.value.number == signal.SIGTERM
    with pytest.raises(Terminated) as raised, terminable():
        drop(signal.SIGHUP)
        raise UserError("of the work")
    assert raised.value.number == signal.SIGHUP
    with pytest.raises(StopNow), stop_signals() as stop, stop.at_once():
        drop(signal.SIGTERM)


@pytest.mark.usefixtures("signals_heard")
def test_what_a_signal_ends_is_cleaned_up_in_peace():
    """What comes again breaks off no cleaning up; a second signal does. Nothing comes when all is left."""
    came: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, frame: came.append(number))
    reached = []
    with pytest.raises(Terminated), terminable():
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            time.sleep(0.1)
            reached.append("in peace")
    with pytest.raises(StopNow), stop_signals() as stop, stop.at_once():
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            time.sleep(0.1)
            reached.append("in peace")
    with pytest.raises(Terminated), terminable():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGHUP)
            time.sleep(0)
            reached.append("not reached")
    time.sleep(0.1)
    assert reached == ["in peace", "in peace"] and not came


@pytest.mark.usefixtures("signals_heard")
def test_a_signal_without_a_thread_to_send_it_again(monkeypatch):
    """Where the machine has room for no thread more, it is raised all the same."""

    def none(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", none)
    with pytest.raises(Terminated), terminable():
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Terminated), terminable():
        in_a_bare_except(signal.SIGTERM)


def test_a_signal_in_a_training_step_only_notes_it(signals_heard, capfd):
    """Also in a destructor: nothing is raised, so nothing is dropped, and it is obeyed after the step."""
    reached = []
    with pytest.raises(Terminated) as raised, terminable():
        with stop_signals() as stop:
            in_a_destructor(signal.SIGTERM)
            assert stop.number == signal.SIGTERM
            reached.append("the end of the training")
        time.sleep(0)
        reached.append("the next stage")
    assert raised.value.number == signal.SIGTERM and reached == ["the end of the training"]
    assert capfd.readouterr().err == "stopping at the next step ...\n"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_was_ignored_stays_ignored(number, signals_heard):
    signal.signal(number, signal.SIG_IGN)
    with stop_signals() as stop, stop.at_once(), terminable(), unbroken(number):
        signal.raise_signal(number)
        time.sleep(0)
    assert not stop and signal.getsignal(number) == signal.SIG_IGN


SECOND = """
import signal, time
from pipeline.processes.stopping import stop_signals
with stop_signals():
    print("ready", flush=True)
    while True:
        time.sleep(0.1)
"""


def test_a_second_signal_ends_at_once():
    with subprocess.Popen(
        [sys.executable, "-c", SECOND],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_usual,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline() == "stopping at the next step ...\n"
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 128 + signal.SIGINT
