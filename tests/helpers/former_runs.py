"""Runs whose head is ActionFormer, small enough for tests, on top of the classifier of another run."""

from __future__ import annotations

import shutil
from pathlib import Path

from helpers.small_runs import options, tada

FORMER = [
    "detector.name=actionformer", "actionformer.width=16", "actionformer.heads=2", "actionformer.levels=3",
    "actionformer.window=5", "actionformer.max_length=64", "actionformer.epochs=2",
    "actionformer.warmup_epochs=1", "actionformer.batch_size=2", "actionformer.ema_decay=0.5",
    "detections.top=100",
]  # fmt: skip


def former_run(whole: Path, data: Path, run: Path, *extra: str, command: str = "run") -> Path:
    """A run with ActionFormer that takes its classifier and features from a whole run with BMN."""
    run.mkdir(parents=True)
    for stage in ("finetune", "extract"):
        shutil.copytree(whole / stage, run / stage)
    result = tada(command, *options(data, run, *FORMER, *extra))
    assert result.exit_code == 0, result.output
    return run
