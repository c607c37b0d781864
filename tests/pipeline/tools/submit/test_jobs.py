"""Which jobs a run needs, and that their command lines say what was asked for."""

from __future__ import annotations

import shlex
import sys

import pytest
from helpers.small_runs import options, tada, without_stages

from pipeline.cli.commands import main
from pipeline.cli.options import overrides
from pipeline.cli.stages.submit_command import _words

PROGRAM = [sys.executable, "-m", "pipeline"]
SEVERAL = [
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--nproc-per-node=4",
    "-m",
    "pipeline",
]


def shown(data, run, *more) -> dict[str, list[str]]:
    """The words of each job of a dry run, by its name."""
    done = tada("submit", "--engine", "slurm", "--dry-run", *options(data, run), *more)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    return {
        title.partition(":")[0]: shlex.split(words)
        for title, words in zip(lines[::2], lines[1::2], strict=True)
    }


def test_a_job_a_command_and_only_what_has_work_to_do(whole, data, tmp_path):
    assert list(shown(data, tmp_path)) == ["finetune", "extract", "bmn", "classify", "eval"]
    run = tmp_path / "run"
    without_stages(whole, run, "bmn/proposals")
    before = sorted(run.rglob("*"))
    assert list(shown(data, run)) == ["bmn", "classify", "eval"]
    assert list(shown(data, run, "classify.top=2")) == ["bmn", "classify", "eval"]
    assert sorted(run.rglob("*")) == before, "a dry run writes nothing"
    assert list(shown(data, tmp_path, "detector.name=actionformer", "actionformer.classes=own"))[
        2:
    ] == ["detect", "eval"]


def test_several_gpus_are_of_trainings_and_tasks_take_one_each(data, tmp_path):
    found = shown(data, tmp_path, "--gpus", "4", "--array", "8")
    starts = {name: words[: words.index(name)] for name, words in found.items()}
    assert starts == {
        "finetune": SEVERAL, "extract": PROGRAM, "bmn": SEVERAL, "classify": PROGRAM, "eval": PROGRAM,
    }  # fmt: skip


def test_a_classifier_that_decodes_is_an_array_too(data, tmp_path):
    more = ("--array", "3", "classify.source=video", "classify.mode=proposal")
    done = tada(
        "submit", "--engine", "slurm", "--dry-run", *options(data, tmp_path, *more[2:]), *more[:2]
    )
    tasks = [line.split(":")[0] for line in done.stdout.splitlines() if ": 3 tasks" in line]
    assert tasks == ["extract", "classify"]


@pytest.mark.parametrize(
    "given",
    [
        {"config": "small", "videos": "a b", "annotations": "12", "skip": "null", "workers": 3, "force": True},
        {"keys": ("finetune.epochs=3", "dataset.classes=null", "eval.iou=[0.5,0.6]"), "log": ["csv", "wandb"]},
        {"assignments": ("dataset.videos='x: y'", "dataset.annotations=\"\\u00e9 'q'\""), "verify": True},
        {"device": "cuda:1", "allow_failures": 0, "keys": ("finetune.base_lr=1e-4", "dataset.videos=~")},
    ],
)  # fmt: skip
def test_what_a_job_is_given_is_what_submit_was_given(given):
    usual = {"config": None, "run_dir": None, "verbose": False, "force": False, "verify": False}
    words = _words({**usual, **given})
    command = main.commands["extract"]
    params = command.make_context("extract", list(words)).params
    assert params["config"] == given.get("config")
    assert (params["force"], params["verify"]) == (
        given.get("force", False),
        given.get("verify", False),
    )
    wanted = {k: v for k, v in given.items() if k not in usual}
    keys = {"keys": params["keys"], "assignments": params["assignments"]}
    assert overrides(None, keys) == overrides(None, wanted)
