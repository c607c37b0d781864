"""Runs whose head is ActionFormer, small enough for tests, on top of the classifier of another run."""

from __future__ import annotations

import shutil
from pathlib import Path

from helpers import separable
from helpers.small_runs import options, tada

FORMER = [
    "detector.name=actionformer", "actionformer.width=16", "actionformer.heads=2", "actionformer.levels=3",
    "actionformer.window=5", "actionformer.max_length=64", "actionformer.epochs=2",
    "actionformer.warmup_epochs=1", "actionformer.batch_size=2", "actionformer.ema_decay=0.5",
    "actionformer.embedding_layers=1", "actionformer.stem_layers=1", "actionformer.head_layers=2",
    "detections.top=100",
]  # fmt: skip


def former_run(whole: Path, data: Path, run: Path, *extra: str) -> Path:
    """A run with ActionFormer that takes its classifier and features from a whole run with BMN."""
    run.mkdir(parents=True)
    for stage in ("finetune", "extract"):
        shutil.copytree(whole / stage, run / stage)
    result = tada("run", *options(data, run, *FORMER, *extra))
    assert result.exit_code == 0, result.output
    return run


LITTLE = (
    "actionformer.epochs=25",
    "actionformer.batch_size=3",
    "actionformer.base_lr=0.01",
    "eval.iou=[0.3,0.5,0.7,0.9]",
)


def former_on_features(data: Path, run: Path, *extra: str) -> Path:
    """A run with ActionFormer on the features of `helpers.separable`, trained a little."""
    words = (*FORMER, *LITTLE, *extra)
    assert separable.take(data, run, *words).exit_code == 0
    done = tada("run", *separable.options(data, run, *words))
    assert done.exit_code == 0, done.output
    return run
