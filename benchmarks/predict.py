"""What it costs to use a trained model: `predict` on one video against the stages one after the other, and its memory.

python -m benchmarks.predict [--seconds 60] [--config small] [--device cpu] [--turns 3] [--long 3600] [--json FILE]

A model is trained for a moment on drawn videos; how good it is changes no time. Each command is a process of its own, as
a user starts it, on all cores. The stages are `extract`, `bmn` (which then only proposes) and `classify` of a run whose
one evaluation video is that video, the training videos' features being there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
import pandas as pd

from benchmarks.machine import describe, this_machine
from pipeline.cli.options import echo
from pipeline.cli.paths import NamedPath
from pipeline.demo.dataset import make_dataset
from pipeline.run_folder.files import write_json

VIDEO = "validation_000"
TRAINING_VIDEOS, TRAINING_SECONDS = 6, 20.0
MOMENT = (
    "finetune.epochs=2", "finetune.warmup_epochs=1", "finetune.min_steps=0", "bmn.epochs=2", "bmn.warmup_epochs=1",
    "bmn.min_steps=0",
)  # fmt: skip


def tada(*words: str | Path) -> float:
    """Seconds of a command. Raises CalledProcessError if it fails."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "pipeline", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"TQDM_DISABLE": "1"})
    return time.perf_counter() - began


def make_data(folder: Path, seconds: float, size: tuple[int, int]) -> None:
    """Short training videos, and one of `seconds` for evaluation, with their annotations."""
    short, long = folder / "short", folder / "long"
    make_dataset(
        short, train_videos=TRAINING_VIDEOS, val_videos=1, seconds=TRAINING_SECONDS, size=size
    )
    make_dataset(long, train_videos=1, val_videos=1, seconds=seconds, size=size)
    shutil.copy(long / f"videos/{VIDEO}.mp4", short / "videos")
    rows = [pd.read_csv(part / "annotations.csv") for part in (short, long)]
    kept = [rows[0][rows[0]["subset"] == "training"], rows[1][rows[1]["subset"] == "validation"]]
    pd.concat(kept).to_csv(short / "annotations.csv", index=False)


def settings(folder: Path, config: str, device: str) -> list[str]:
    """The settings that every stage of the run gets."""
    data = folder / "short"
    given = (f"dataset.videos={data / 'videos'}", f"dataset.annotations={data / 'annotations.csv'}")
    words = ["--config", config, "--run-dir", str(folder / "run")]
    return [*words, f"runtime.device={device}", *given, *MOMENT]


def forget(run: Path) -> None:
    """The run as before the video came: no features, proposals and classes of it."""
    for path in run.rglob(f"{VIDEO}.*"):
        path.unlink()
    for folder in ("classify", "bmn/proposals"):
        shutil.rmtree(run / folder)


def measured(folder: Path, told: list[str], turns: int) -> dict[str, Any]:
    """Seconds of the stages and of `predict`, in turns."""
    run = folder / "run"
    video = folder / f"short/videos/{VIDEO}.mp4"
    tada("run", *told)
    names = ("extract", "bmn", "classify")
    times: dict[str, list[float]] = {name: [] for name in (*names, "predict")}
    for turn in range(turns):
        forget(run)
        for name in names:
            times[name].append(tada(name, *told))
        to = folder / f"predictions{turn}"
        times["predict"].append(tada("predict", video, "--run-dir", run, "--to", to))
    stages = [sum(parts) for parts in zip(*(times[name] for name in names), strict=True)]
    return {
        "seconds": {name: [round(one, 2) for one in values] for name, values in times.items()},
        "stages": median(stages),
        "predict": median(times["predict"]),
        "ratio": median(s / p for s, p in zip(stages, times["predict"], strict=True)),
    }


# A process whose only child is the command: the largest of that one and its own.
WATCH = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_of(folder: Path, seconds: float, size: tuple[int, int]) -> dict[str, float]:
    """Seconds and MB of `predict` on a long video: the largest of its processes."""
    make_dataset(folder / "hours", train_videos=1, val_videos=1, seconds=seconds, size=size)
    video = folder / f"hours/videos/{VIDEO}.mp4"
    words = ["predict", video, "--run-dir", folder / "run", "--to", folder / "hours/found"]
    command = [sys.executable, "-c", WATCH, sys.executable, "-m", "pipeline", *map(str, words)]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {"seconds": round(time.perf_counter() - began, 1), "MB": round(int(done.stdout) / 1024)}


@click.command()
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Of the video.")
@click.option("--config", default="small", show_default=True, help="Whose network and clips.")
@click.option("--size", default="640x360", show_default=True, help="Of a frame, pixels.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--turns", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--long", "long_seconds", type=float, help="A long video too: seconds, for its memory."
)
@click.option("--json", "output", type=NamedPath(), help="Keep the numbers here.")
def main(
    seconds: float,
    config: str,
    size: str,
    device: str,
    turns: int,
    long_seconds: float | None,
    output: Path | None,
) -> None:
    """Time `predict` on one video against the stages, in turns, and print both."""
    width, height = map(int, size.split("x"))
    machine = this_machine()
    echo(describe(machine))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder, seconds, (width, height))
        found = measured(folder, settings(folder, config, device), turns)
        echo(
            f"{seconds:g} s of {size}, {config}: stages {found['stages']:.1f} s, predict {found['predict']:.1f} s"
        )
        echo(f"stages / predict, median of {turns} turns: {found['ratio']:.2f}")
        if long_seconds is not None:
            found["long"] = peak_of(folder, long_seconds, (width, height))
            echo(f"{long_seconds:g} s of {size}: {found['long']}")
    if output is not None:
        write_json(output, {"machine": machine, **found})


if __name__ == "__main__":
    main()
