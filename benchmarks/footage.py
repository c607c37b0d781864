"""What `tada-loc init` makes of untrimmed videos joined from real clips (see benchmarks.joining).

    python -m benchmarks.footage --clips CLIPS --to runs/footage          # all manners, one seed
    python -m benchmarks.footage --clips CLIPS --manner hard --seeds 3

CLIPS is a folder with the clips that benchmarks.joining names.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean

import click
import pandas as pd

from benchmarks.joining import MANNERS, make_footage
from evaluation import signed_errors

IOU = "0.1:0.1:0.5"


def measure_footage(folder: Path, settings: tuple[str, ...] = ()) -> dict[str, float]:
    """Run `init` and every stage in a folder of footage: mAP, signed errors in seconds, minutes.

    `settings` are KEY=VALUE of the configuration, to compare with what `init` chose.
    """
    began = time.monotonic()
    program = [sys.executable, "-m", "pipeline"]
    if not (folder / "tada-loc.yaml").exists():
        subprocess.run([*program, "init", "videos", "own.csv"], cwd=folder, check=True)
    chosen = [part for setting in settings for part in ("--set", setting)]
    words = ["--config", "tada-loc.yaml", "--run-dir", "runs/own", *chosen]
    subprocess.run([*program, "run", *words], cwd=folder, check=True)
    scored = [*words, "--iou", IOU, "--json", "numbers.json"]
    subprocess.run([*program, "eval", *scored], cwd=folder, check=True)
    return figures(folder, Path("runs/own")) | {"minutes": (time.monotonic() - began) / 60}


def figures(folder: Path, run: Path) -> dict[str, float]:
    """What a run in a folder of footage came to: mAP over IOU and at 0.5, signed errors in seconds.

    From numbers.json, which the last `eval` there wrote, and the detections of `run`.
    """
    numbers = json.loads((folder / "numbers.json").read_text())["tasks"]["mAP"]
    truth = pd.read_csv(folder / "own.csv")
    found = pd.read_csv(folder / run / "classify" / "detections.csv")
    errors = signed_errors(truth[truth["subset"] == "validation"], found)
    return {
        "average": numbers["average"],
        "@0.5": numbers["map"][-1],
        "start": errors.start,
        "end": errors.end,
    }


@click.command()
@click.option("--clips", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--to", "target", type=click.Path(path_type=Path), default=Path("runs/footage"))
@click.option("--manner", type=click.Choice(sorted(MANNERS)), help="Default: all.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE")
@click.option("--only-make", is_flag=True, help="Write the videos and stop.")
def main(
    clips: Path,
    target: Path,
    manner: str | None,
    seeds: int,
    settings: tuple[str, ...],
    only_make: bool,
) -> None:
    """Make the footage, run everything on it, and print the figures."""
    for name in [manner] if manner else sorted(MANNERS):
        found = []
        for seed in range(seeds):
            folder = target / f"{name}_{seed}"
            if not folder.exists():
                make_footage(clips, folder, name, seed=seed)
            if only_make:
                continue
            found.append(measure_footage(folder, settings))
            shown = "  ".join(f"{key} {value:.2f}" for key, value in found[-1].items())
            click.echo(f"{name}, seed {seed}: {shown}")
        if found:
            averages = [row["average"] for row in found]
            spread = max(averages) - min(averages)
            click.echo(f"{name}: average {mean(averages):.2f}, spread {spread:.2f}")


if __name__ == "__main__":
    main()
