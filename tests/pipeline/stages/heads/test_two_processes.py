"""ActionFormer in two processes: trained within rounding as in one, the same weights find the same to the last byte."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from helpers.paths import ROOT
from helpers.separable import ACTIONFORMER, options
from helpers.small_runs import tada

# What is dropped at random is drawn by each process for its own videos.
SAME = (
    "actionformer.drop_path=0", "actionformer.epochs=3", "actionformer.batch_size=5",
    "actionformer.gradient_accumulation=2", "actionformer.optimizer=sgd", "actionformer.base_lr=0.05",
    "actionformer.keep=best", "actionformer.ema_decay=null",
)  # fmt: skip


def in_two_processes(arguments):
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*line, "-m", "pipeline", *arguments], capture_output=True, text=True, env=environment, timeout=300
    )  # fmt: skip


def test_two_processes_train_and_find_what_one_does(separate, former, tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    for run in (one, two):
        run.mkdir()
        shutil.copytree(former / "extract", run / "extract")
    done = tada("detect", *options(separate, one, *ACTIONFORMER, *SAME))
    assert done.exit_code == 0, done.output
    done = in_two_processes(["detect", *options(separate, two, *ACTIONFORMER, *SAME)])
    assert done.returncode == 0, done.stderr[-3000:]
    ours, theirs = (
        torch.load(run / "actionformer/model.pt", weights_only=True)["model"] for run in (one, two)
    )
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(theirs[key], ours[key], rtol=2e-3, atol=2e-4, msg=key)
    rows = [json.loads((run / "actionformer/history.json").read_text()) for run in (one, two)]
    for row, other in zip(*rows, strict=True):
        assert row == pytest.approx(other, rel=1e-3)
    found = two / "actionformer/detections"
    made = {path.relative_to(found): path.read_bytes() for path in found.rglob("*.csv")}
    assert len(made) == 5
    shutil.rmtree(found)
    done = tada("detect", *options(separate, two, *ACTIONFORMER, *SAME))
    assert done.exit_code == 0 and "network complete" in done.output, done.output
    assert made == {path.relative_to(found): path.read_bytes() for path in found.rglob("*.csv")}
