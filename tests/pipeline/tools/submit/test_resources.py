"""What jobs ask for: how it is written, and what an engine has not."""

from __future__ import annotations

import pytest
from helpers.small_runs import error_line, options, tada

from pipeline.errors import UsageError
from pipeline.tools.submit.jobs import Job
from pipeline.tools.submit.resources import Resources, clock, minutes, parameters, sbatch_options

JOB = Job("extract", ("x",), tasks=3, gpus=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12", 720), ("1.5", 90), ("0:30", 30), ("2:00:01", 121), ("1-2:00:00", 1560), ("0.001", 1), ("8760", 525600)],
)  # fmt: skip
def test_times(text, expected):
    assert minutes(text) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "0:00:00", "-1", "1h", "nan", "1:2:3", "90000", "9999-00:00:00", "١"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="--time"):
        minutes(text)


def test_clock():
    assert [clock(time) for time in (5, 90, 1440)] == ["0:05:00", "1:30:00", "24:00:00"]


def test_options_of_sbatch():
    assert sbatch_options(("qos=high", "--gres=gpu:1", "exclusive", "comment=a=b")) == {
        "qos": "high", "gres": "gpu:1", "exclusive": True, "comment": "a=b",
    }  # fmt: skip


@pytest.mark.parametrize(
    "word",
    [
        "",
        "=1",
        "array=0-3",
        "--dependency=afterok:1",
        "qos=a\n#SBATCH --x",
        "Q=1",
        "a b=1",
        "cpus-per-task=9",
    ],
)
def test_what_is_no_option_of_sbatch_is_refused(word):
    with pytest.raises(UsageError, match="--slurm"):
        sbatch_options((word,))


def test_what_a_user_asks_for_goes_before_what_we_ask():
    found = parameters("slurm", JOB, Resources(slurm={"kill-on-invalid-dep": "no"}))
    assert found["slurm_additional_parameters"] == {"requeue": True, "kill-on-invalid-dep": "no"}
    assert parameters("local", JOB, Resources()).keys() == {"timeout_min", "name"}


@pytest.mark.parametrize(
    "option", ["--cpus=3", "--memory=3", "--partition=x", "--account=x", "--slurm=qos=x"]
)
def test_what_this_machine_has_not_is_refused(data, tmp_path, option):
    line = error_line(tada("submit", "--engine", "local", *options(data, tmp_path), option))
    assert (
        option.split("=")[0]
        + ": --engine local does not support it; leave it out, or use --engine slurm"
        in line
    )
