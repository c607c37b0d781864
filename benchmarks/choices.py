"""What each choice of `tada-loc init` is worth on footage joined from real clips (see benchmarks.footage).

    python -m benchmarks.choices --clips CLIPS --to runs/choices --manner rough

Every variant changes a few settings of what `init` wrote and runs what depends on them; features are made
once where a variant does not touch them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from benchmarks.footage import IOU, figures
from benchmarks.joining import MANNERS, make_footage

SIDE = "64"  # the short side init chooses for a CPU
VARIANTS: dict[str, dict[str, str]] = {
    "as init chooses": {},
    "square crops, whole frames extracted": {"finetune.crop": SIDE},
    "square crops in both": {"finetune.crop": SIDE, "extract.crop": "center"},
    "last weights": {"finetune.keep": "last", "bmn.keep": "last"},
    "best epoch by held-out videos": {
        "finetune.keep": "best",
        "bmn.keep": "best",
        "dataset.hold_out": "0.2",
    },
    "best epoch by the evaluation videos": {"finetune.keep": "best", "bmn.keep": "best"},
    "balance none": {"finetune.balance": "none"},
    "balance full": {"finetune.balance": "full"},
    "colour jitter and erasing": {
        "finetune.augment.color_jitter": "0.8",
        "finetune.augment.erasing": "0.25",
    },
    "mixup 0.2": {"finetune.augment.mixup": "0.2"},
    "boundary_power 1": {"proposals.boundary_power": "1"},
    "boundary_center 0": {"bmn.boundary_center": "0"},
    "boundary_center 0, no voting": {"bmn.boundary_center": "0", "proposals.voting": "null"},
    "no voting": {"proposals.voting": "null"},
    "BMN with regression": {"bmn.regression": "true"},
    "windows where they always are": {"bmn.random_windows": "false"},
    "BMN of 10 epochs, however few steps": {"bmn.epochs": "10", "bmn.min_steps": "0"},
    "positions over the proposal": {"classify.spread": "over"},
    "positions in the middle of parts": {"classify.spread": "middle"},
}
EARLY = ("dataset.", "backbone.", "finetune.", "extract.")  # what makes features again


def measure_variant(footage: Path, name: str, settings: Mapping[str, str]) -> dict[str, float]:
    """Run a variant in its own run folder; mAP over 0.1:0.1:0.5, at 0.5, and signed errors in seconds."""
    number = list(VARIANTS).index(name)
    run, base = Path("runs") / f"variant_{number:02d}", Path("runs") / "variant_00"
    if number and not any(key.startswith(EARLY) for key in settings):
        if not (footage / base / "extract" / "manifest.json").exists():
            raise click.ClickException(f"{footage / base}: run 'as init chooses' first")
        for stage in ("finetune", "extract"):
            _copy(footage / base / stage, footage / run / stage)
    chosen = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    program = [sys.executable, "-m", "pipeline"]
    words = ["--config", "tada-loc.yaml", "--run-dir", str(run), *chosen]
    _run_quietly([*program, "run", *words], footage)
    _run_quietly([*program, "eval", *words, "--iou", IOU, "--json", "numbers.json"], footage)
    return figures(footage, run)


def _copy(source: Path, target: Path) -> None:
    """Copy a stage's folder, whole or not at all."""
    if target.exists():
        return
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    partial.rename(target)


def _run_quietly(command: list[str], folder: Path) -> None:
    """Run a command quietly; the last line it said where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException((done.stderr.strip().splitlines() or ["no word"])[-1])


@click.command()
@click.option("--clips", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--to", "target", type=click.Path(path_type=Path), default=Path("runs/choices"))
@click.option("--manner", type=click.Choice(sorted(MANNERS)), default="rough", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(VARIANTS)), help="Default: all.")
def main(clips: Path, target: Path, manner: str, seed: int, only: tuple[str, ...]) -> None:
    """Print a row a variant, each against what `init` chooses."""
    footage = target / f"{manner}_{seed}"
    if not footage.exists():
        make_footage(clips, footage, manner, seed=seed)
    if not (footage / "tada-loc.yaml").exists():
        program = [sys.executable, "-m", "pipeline", "init", "videos", "own.csv", "--for", "cpu"]
        subprocess.run(program, cwd=footage, check=True)
    click.echo(f"{'':38s} average    @0.5   start s     end s")
    for name, settings in VARIANTS.items():
        if only and name not in only:
            continue
        row = measure_variant(footage, name, settings)
        click.echo(
            f"{name:38s} {row['average']:7.2f} {row['@0.5']:7.2f} {row['start']:+9.3f} {row['end']:+9.3f}"
        )


if __name__ == "__main__":
    main()
