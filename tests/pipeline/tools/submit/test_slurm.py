"""Jobs of Slurm: what sbatch is given, the jobs as they run, and what is reported about them later."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from helpers.fake_slurm import TASKS, FakeSlurm
from helpers.processes import processes
from helpers.small_runs import error_line, often_saved, options, same_results, tada, without_stages

WAIT = 120  # seconds


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    return FakeSlurm(tmp_path / "slurm", monkeypatch)


def submit(run, data, *more):
    return tada("submit", "--engine", "slurm", *options(data, run), *more)


def log(run: Path, name: str) -> str:
    return "".join(path.read_text() for path in (run / "jobs" / name).glob("*_log.err"))


def test_each_job_comes_after_the_one_before(slurm, data, tmp_path):
    run = tmp_path / "a run"
    asked = ("--array", "3", "--gpus", "2", "--cpus", "6", "--memory", "24", "--time", "1:30:00")
    asked += (
        "--partition",
        "long",
        "--account",
        "us",
        "--slurm",
        "qos=high",
        "--slurm",
        "exclusive",
    )
    done = submit(run, data, *asked)
    assert done.exit_code == 0, done.output
    assert slurm.jobs() == [101, 102, 103, 104, 105]
    assert done.stderr.splitlines()[-1].endswith("`scancel 101 102 103 104 105` ends them")
    assert "extract: queued as job 102, 3 tasks" in done.stderr
    found = [slurm.directives(number) for number in slurm.jobs()]
    names = ("finetune", "extract", "bmn", "classify", "eval")
    assert [each["job-name"] for each in found] == [f"tada-loc-{name}" for name in names]
    assert [each.get("dependency") for each in found] == [
        None, "afterok:101", "afterok:102", "afterok:103", "afterok:104",
    ]  # fmt: skip
    assert [each.get("array") for each in found] == [None, "0-2%3", None, None, None]
    assert [each.get("gpus-per-node") for each in found] == ["2", "1", "2", "1", None]
    for each in found:
        assert each["signal"] == "USR2@120" and each["requeue"] == "" and each["time"] == "90"
        assert each["partition"] == "long" and each["account"] == "us" and each["mem"] == "24GB"
        assert each["cpus-per-task"] == "6" and each["qos"] == "high" and each["exclusive"] == ""
        assert each["kill-on-invalid-dep"] == "yes" and str(run) in each["error"]
    kept = json.loads((run / "jobs/jobs.json").read_text())
    assert [row["number"] for row in kept] == ["101", "102", "103", "104", "105"]
    assert not (run / "config.yaml").exists(), "nothing is done on the login node"


def test_by_itself_a_job_has_a_day_a_gpu_and_a_cpu_a_worker(slurm, data, tmp_path):
    assert submit(tmp_path / "run", data, "runtime.workers=5", "runtime.device=auto").exit_code == 0
    found = slurm.directives(101)
    assert (found["time"], found["gpus-per-node"], found["cpus-per-task"]) == ("1440", "1", "6")
    assert submit(tmp_path / "cpu", data).exit_code == 0
    assert "gpus-per-node" not in slurm.directives(106)
    assert "partition" not in found and "mem" not in found


def run_all(slurm, tasks: int = 1) -> None:
    """Every queued job, run to its end."""
    for number in slurm.jobs():
        array = "array" in slurm.directives(number)
        started = [
            slurm.start(number, task if array else None, tasks)
            for task in range(tasks if array else 1)
        ]
        assert [process.wait(WAIT) for process in started] == [0] * len(started), number


@pytest.mark.parametrize("first", ["eval", pytest.param("extract", marks=pytest.mark.slow)])
def test_jobs_run_as_slurm_runs_them(slurm, whole, data, tmp_path, first):
    run = tmp_path / "run"
    without_stages(whole, run, first)
    assert submit(run, data, "--array", str(TASKS)).exit_code == 0
    run_all(slurm, TASKS)
    same_results(whole, run)
    again = submit(run, data)
    assert again.stdout == f"{run}: every stage is complete; nothing to submit\n"


def test_a_job_whose_time_is_over_is_queued_again_and_goes_on(slurm, whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "bmn")
    line = often_saved(data, run, "bmn.epochs=12")[1:]
    assert tada("submit", "--engine", "slurm", *line).exit_code == 0
    process = slurm.start(101)
    until = time.monotonic() + WAIT
    while not (run / "bmn/checkpoint.pt").exists() and time.monotonic() < until:
        time.sleep(0.02)
    # Slurm signals all processes of a job but its shell: submitit's and, as some Slurms do, the command's.
    for pid in processes("submitit.core._submit", run) + processes("pipeline\0bmn", run):
        os.kill(pid, signal.SIGUSR2)
    assert process.wait(WAIT) != 0
    assert "scontrol requeue 101" in slurm.said()
    assert (run / "bmn/checkpoint.pt").exists() and "stopped by SIGTERM" in log(run, "bmn")
    assert slurm.start(101).wait(WAIT) == 0
    assert "resum" in log(run, "bmn") or "goes on" in log(run, "bmn"), log(run, "bmn")


def test_what_became_of_the_jobs_before_is_said(slurm, whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "extract")
    assert submit(run, data, "--array", "2").exit_code == 0
    (run / "jobs/extract/101_1_0_log.err").write_text(
        "at work\nError: x.mp4: no video\nTraceback\n"
    )
    slurm.says("squeue", "102", "103", "7")
    slurm.says(
        "sacct", "101_0|COMPLETED", "101_1|FAILED", "102|PENDING", "104|CANCELLED by 5", "9|FAILED"
    )
    done = submit(run, data)
    assert done.exit_code == 0
    said = done.stderr.splitlines()
    assert (
        f"extract (job 101_1) failed: x.mp4: no video; its log is {run}/jobs/extract/101_1_0_log.err"
        in said
    )
    assert any("eval (job 104) failed: CANCELLED" in line for line in said)
    (line,) = [line for line in said if "no work is done twice" in line]
    assert "bmn (job 102), classify (job 103)" in line and "104" not in line
    kept = [row["number"] for row in json.loads((run / "jobs/jobs.json").read_text())]
    assert kept == ["102", "103", "105", "106", "107", "108"]


def test_a_refusal_of_slurm_is_one_line_and_says_what_is_queued(slurm, data, tmp_path):
    (slurm.folder / "full").touch()
    line = error_line(submit(tmp_path / "run", data))
    assert "bmn: sbatch refuses the job" in line and "QOSMaxSubmit" in line
    assert "`scancel 101 102` ends them" in line
    assert len(json.loads((tmp_path / "run/jobs/jobs.json").read_text())) == 2


def test_without_slurm_it_is_one_line(data, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    line = error_line(submit(tmp_path / "run", data))
    assert "sbatch: not found" in line and "--engine local" in line
    assert not (tmp_path / "run").exists()


def test_without_submitit_it_is_one_line_and_a_dry_run_needs_none(data, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "submitit", None)
    assert "pip install submitit (the extra submit)" in error_line(submit(tmp_path / "run", data))
    done = submit(
        tmp_path / "run", data, "--dry-run", "--array", "4", "--gpus", "1", "--partition", "gpu"
    )
    assert done.exit_code == 0 and not (tmp_path / "run").exists()
    assert (
        "extract: 4 tasks, 1 GPU each, 1 CPU, time 24:00:00, partition gpu, after finetune\n"
        in done.stdout
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        '[{"engine": "slurm"}]',
        '[{"engine": 1, "name": "a", "number": "1", "log": ""}]',
        "null",
    ],
)
def test_a_record_that_cannot_be_read_is_none(slurm, whole, data, tmp_path, text):
    run = tmp_path / "run"
    without_stages(whole, run, "eval")
    (run / "jobs").mkdir()
    (run / "jobs/jobs.json").write_text(text)
    assert submit(run, data).exit_code == 0
    assert [row["name"] for row in json.loads((run / "jobs/jobs.json").read_text())] == ["eval"]


def test_what_a_stage_would_refuse_is_refused_before_anything_is_queued(slurm, data, tmp_path):
    assert "dataset.eval_subset" in error_line(
        submit(tmp_path / "run", data, "dataset.eval_subset=no")
    )
    assert "%" in error_line(submit(tmp_path / "50%j", data))
    assert slurm.jobs() == [] and not (tmp_path / "run").exists()
