"""A run of all stages small enough for tests: its options, its results, and processes that do it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import torch
from click.testing import CliRunner

from helpers.paths import ROOT, code_paths
from pipeline.cli.commands import main
from pipeline.runs.ways import in_order

SMALL = [
    "backbone.depth=[1,1,1,1]", "backbone.width=4", "finetune.epochs=2", "finetune.batch_size=4",
    "finetune.crop=32", "finetune.short_side=[32,36]", "finetune.eval_short_side=32",
    "extract.short_side=32", "bmn.epochs=2", "bmn.batch_size=2", "bmn.hidden_1d=8",
    "bmn.hidden_2d=8", "bmn.hidden_3d=8", "bmn.num_samples=4", "bmn.temporal_scale=40",
    "bmn.duration_scale=20", "bmn.window_step=20",
]  # fmt: skip
PROGRAM = ("-m", "pipeline")
MADE = (
    "finetune/model.pt",
    "bmn/model.pt",
    "bmn/proposals/proposals.csv",
    "classify/detections.csv",
    "eval/results.json",
)


def options(data: Path, run: Path, *extra: str, workers: int = 0) -> list[str]:
    """What every command on a run takes."""
    own = ["runtime.device=cpu", f"runtime.workers={workers}"]
    own += [f"dataset.videos={data / 'videos'}", f"dataset.annotations={data / 'annotations.csv'}"]
    result = ["--config", "demo", "--run-dir", str(run)]
    for assignment in [*own, *SMALL, *extra]:
        result += ["--set", assignment]
    return result


def tada(*arguments: str):
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def same_results(a: Path, b: Path) -> None:
    for name in ("finetune/model.pt", "bmn/model.pt"):
        one, two = (torch.load(run / name, weights_only=True)["model"] for run in (a, b))
        assert one.keys() == two.keys()
        for key in one:
            torch.testing.assert_close(one[key], two[key], rtol=1e-5, atol=1e-6)
    files = sorted(path.name for path in (a / "extract/features").iterdir())
    assert files == sorted(path.name for path in (b / "extract/features").iterdir())
    for name in files:
        one, two = (run / "extract/features" / name for run in (a, b))
        assert one.read_bytes() == two.read_bytes(), name
    for name in MADE[2:]:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def start(arguments: list[str], program: tuple[str, ...] = PROGRAM, **more) -> subprocess.Popen:
    """A run in a process group of its own; `more` is for Popen."""
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        env={**code_paths(), "OMP_NUM_THREADS": "1"},
        **{"stderr": subprocess.DEVNULL, "cwd": ROOT, **more},
    )


def kill(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def often_saved(data: Path, run: Path, *extra: str, workers: int = 0) -> list[str]:
    seconds = ("finetune.checkpoint_seconds=0.01", "bmn.checkpoint_seconds=0.01")
    return ["run", *options(data, run, *seconds, *extra, workers=workers)]


def error_line(result) -> str:
    """The one line a refused command ends with."""
    assert result.exit_code in {1, 2}, result.output
    assert "Traceback" not in result.output and "unexpected" not in result.output, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("Error")]
    assert len(lines) == 1 and result.output.rstrip().endswith(lines[0]), result.output
    return lines[0]


def without_stages(whole: Path, run: Path, first: str) -> None:
    """A copy of an unbroken run that has not come to a stage yet."""
    shutil.copytree(whole, run)
    folders = [stage.folder for stage in in_order()]
    for folder in reversed(folders[folders.index(first) :]):
        shutil.rmtree(run / folder)
