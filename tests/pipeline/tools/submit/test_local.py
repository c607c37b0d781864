"""Jobs of this machine: done in order to the end, ended with the command, and said in one line where one fails."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from helpers.fake_slurm import TASKS
from helpers.processes import processes
from helpers.signals import as_usual
from helpers.small_runs import (
    error_line,
    often_saved,
    options,
    same_results,
    start,
    tada,
    without_stages,
)

from pipeline.errors import UserError
from pipeline.tools.submit import local
from pipeline.tools.submit.jobs import Job

WAIT = 120  # seconds


def submit(run, data, *more):
    return tada("submit", "--engine", "local", *options(data, run), *more)


def until(true, seconds: float = WAIT) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_stages_are_done_to_the_end(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "classify")
    done = submit(run, data)
    assert done.exit_code == 0, done.output
    same_results(whole, run)
    said = done.stderr.splitlines()
    assert [line.split(":")[0] for line in said if " done in " in line] == ["classify", "eval"]
    assert "mAP" in done.stdout and "average" in done.stdout
    logs = re.findall(r"its log: (\S+)", done.stderr)
    assert len(logs) == 2 and all(Path(log).read_text().startswith("running ") for log in logs)
    again = submit(run, data)
    assert again.exit_code == 0 and "nothing to submit" in again.stdout and not again.stderr
    # What was recorded is a note, whatever it says.
    numbers = [row["number"] for row in json.loads((run / "jobs/jobs.json").read_text())]
    assert [Path(log).name.split("_")[0] for log in logs] == numbers


@pytest.mark.slow
def test_tasks_share_the_videos(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "extract")
    done = submit(run, data, "--array", str(TASKS))
    assert done.exit_code == 0, done.output
    assert len(list((run / "jobs/extract").glob("*.err"))) == TASKS
    same_results(whole, run)


def stopped(run: Path, data: Path, number: int) -> tuple[int, str]:
    """A local submit that is sent a signal, as a terminal does it: to all its processes."""
    line = often_saved(data, run, "bmn.epochs=2000")[1:]
    process = start(
        ["submit", "--engine", "local", *line], stderr=subprocess.PIPE, preexec_fn=as_usual
    )
    until((run / "bmn/checkpoint.pt").exists)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=WAIT)
    return process.returncode, said.decode()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)]
)
def test_what_stops_it_stops_its_jobs_in_order(whole, data, tmp_path, number):
    run = tmp_path / "run"
    without_stages(whole, run, "bmn")
    code, said = stopped(run, data, number)
    assert (
        code == 128 + number
        and "run the same command again to resume" in said
        and "Traceback" not in said
    )
    assert processes("submitit", run) == processes("pipeline\0bmn", run) == []
    log = "".join(path.read_text() for path in (run / "jobs/bmn").glob("*.err"))
    assert "stopped by SIGTERM; the checkpoint is written" in log


def test_a_job_that_is_killed_is_said_and_goes_on_when_submitted_again(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "eval")
    line = ["submit", "--engine", "local", *options(data, run)]
    process = start(line, stderr=subprocess.PIPE)
    until(lambda: processes("pipeline\0eval", run))
    for pid in processes("pipeline\0eval", run):
        os.kill(pid, signal.SIGKILL)
    _, said = process.communicate(timeout=WAIT)
    last = said.decode().splitlines()[-1]
    assert process.returncode == 1 and last.startswith("Error: eval (job ")
    assert "exit code -9; its log is " in last and "run the same command again to resume" in last
    assert tada(*line).exit_code == 0
    same_results(whole, run)


def test_a_job_that_fails_is_one_line_with_its_reason_and_its_log(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "bmn")
    (run / "bmn").write_text("in the way")
    line = error_line(submit(run, data))
    found = re.fullmatch(
        r"Error: bmn \(job \d+\) failed: (.+); its log is (\S+); run the same command again to resume",
        line,
    )
    assert found, line
    assert f"Error: {found[1]}" in Path(found[2]).read_text()
    assert not (run / "classify").exists()


@pytest.mark.parametrize(
    ("visible", "array", "gpus", "expected"),
    [("4,7,9,GPU-x", 2, 2, ["4,7", "9,GPU-x"]), ("3,5", 2, 1, ["3", "5"]), ("3", 2, 0, ["", ""]), (None, 2, 1, ["0", "1"])],
)  # fmt: skip
def test_gpus_are_dealt(monkeypatch, visible, array, gpus, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(local, "_count", lambda: 2)
    found = local._devices(Job("extract", (), array, gpus))
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == expected


def test_more_gpus_than_there_are_are_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(UserError, match=r"extract: 3 x 1 GPUs .* has 2"):
        local._devices(Job("extract", (), 3, 1))
