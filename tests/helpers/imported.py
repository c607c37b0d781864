"""A tiny data set with features of another program, and the command that takes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from pipeline.cli.commands import main

VIDEOS = {"a": "training", "b": "training", "c": "training", "d": "validation"}
SMALL = [
    "bmn.epochs=1", "bmn.warmup_epochs=0", "bmn.batch_size=2", "bmn.hidden_1d=8", "bmn.hidden_2d=8",
    "bmn.hidden_3d=8",
    "bmn.num_samples=4", "bmn.temporal_scale=20", "bmn.duration_scale=10", "bmn.window_step=10",
]  # fmt: skip


def tada(*arguments: object):
    return CliRunner().invoke(
        main, [str(argument) for argument in arguments], catch_exceptions=False
    )


def make(tmp_path: Path) -> Path:
    """Annotations with durations of 20 s, and features of 1 s each of 12 channels."""
    database = {
        video: {
            "subset": subset,
            "duration": 20.0,
            "annotations": [
                {"segment": [2.0, 7.0], "label": "x"},
                {"segment": [10.0, 13.0], "label": "y"},
            ],
        }
        for video, subset in VIDEOS.items()
    }
    (tmp_path / "annotations.json").write_text(json.dumps({"database": database}))
    (tmp_path / "features").mkdir()
    rng = np.random.default_rng(0)
    for video in VIDEOS:
        np.save(
            tmp_path / "features" / f"{video}.npy", rng.normal(size=(20, 12)).astype(np.float32)
        )
    return tmp_path


def options(data: Path, *sets: str) -> list[object]:
    result: list[object] = [
        "--config",
        "demo",
        "--run-dir",
        data / "run",
        "--set",
        "runtime.workers=0",
        "--set",
        "runtime.device=cpu",
    ]
    result += ["--annotations", data / "annotations.json", "--set", "dataset.format=activitynet"]
    for assignment in (*SMALL, *sets):
        result += ["--set", assignment]
    return result


def take(
    data: Path, *more: object, source: Path | None = None, stated=("--fps", 10, "--stride", 10)
):
    """The import of a folder, or of another source, of features that are stated to be these."""
    own = ("--from", data / "features" if source is None else source, *stated)
    return tada("import-features", *options(data), *own, *more)
