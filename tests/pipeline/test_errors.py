"""Output that is closed, full or read by nobody; files and memory that run out."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.paths import ROOT
from helpers.small_runs import error_line, options, tada, without_stages

from pipeline.errors import UsageError, machine_error


def shell(line: str, *arguments: str) -> subprocess.CompletedProcess:
    """A command line in which "$@" is the program and its arguments."""
    return subprocess.run(
        ["bash", "-c", line, "bash", sys.executable, "-m", "pipeline", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(tmp_path, closed):
    answer = shell(f'"$@" {closed}', "status", "--run-dir", str(tmp_path / "run"))
    assert answer.returncode == 0
    assert "finetune       missing" in answer.stdout or " >&-" in f" {closed}"
    assert "Traceback" not in answer.stderr and "unexpected" not in answer.stderr


def test_features_without_a_standard_error(whole, data, tmp_path):
    """Its number is free: a feature file that took it would hold what the libraries say."""
    run = tmp_path / "run"
    without_stages(whole, run, "extract")
    answer = shell('"$@" 2>&-', "extract", *options(data, run, workers=1))
    assert answer.returncode == 0, answer.stdout
    made = sorted((run / "extract/features").iterdir())
    assert made
    for path in made:
        assert path.read_bytes() == (whole / "extract/features" / path.name).read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the full device of Linux")
def test_a_log_on_a_full_disk(tmp_path):
    answer = shell('"$@" >/dev/full', "status", "--run-dir", str(tmp_path / "run"))
    assert answer.returncode == 1
    assert (
        "the output: cannot be written (No space left on device); free some space" in answer.stderr
    )


def out_of_memory(*_, **__):
    torch.empty(1 << 60)


def too_many_files(*_, **__):
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize(
    ("fault", "said"),
    [(out_of_memory, "smaller --batch-size"), (too_many_files, "Too many open files: raise")],
)
def test_what_the_machine_refuses(data, tmp_path, monkeypatch, fault, said):
    monkeypatch.setattr("pipeline.runs.work.run_stages", fault)
    line = error_line(tada("finetune", *options(data, tmp_path)))
    assert said in line and len(line) < 250


def test_other_errors_are_not_the_machines():
    assert machine_error(PermissionError(13, "Permission denied")) is None
    assert machine_error(OSError(28, "No space left on device", "a.txt")) is None
    assert machine_error(RuntimeError("size mismatch")) is None


def test_a_notebook_shows_the_line_alone():
    assert UsageError("top 0: give\nmore")._render_traceback_() == [
        r"UsageError: top 0: give\nmore"
    ]
