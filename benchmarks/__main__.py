"""`python -m benchmarks`: run the stages, print one table; `make bench` does it in `.venv`."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import click
import torch

from benchmarks import (
    actionformer,
    backbone_inference,
    backbone_training,
    bmn_forward,
    bmn_targets,
    bmn_training,
    decode,
    extraction,
    help_start,
    mean_precision,
    proposals,
    result_files,
    small_sets,
)
from benchmarks.machine import describe, this_machine
from benchmarks.peaks import measured_peaks
from benchmarks.table import comparison_table, lower_bound_table, peaks_line, save_json

STAGES = {
    "backbone": backbone_inference.run,
    "training": backbone_training.run,
    "decode": decode.run,
    "extraction": extraction.run,
    "bmn": bmn_forward.run,
    "bmn-training": bmn_training.run,
    "actionformer": actionformer.run,
    "actionformer-training": actionformer.run_training,
    "targets": bmn_targets.run,
    "proposals": proposals.run,
    "suppression": small_sets.run,
    "map": mean_precision.run,
    "results": result_files.run,
    "help": help_start.run,
}
LEGEND = (
    "Seconds are CPU seconds of the process, which on one thread are those of an idle machine; of "
    "extraction, wall-clock seconds. Ratio: median of paired turns in one process, after a "
    "warm-up; runs: turns of the baseline/of ours. Peak: memory above what is resident when a "
    "run begins."
)


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(STAGES)), help="Stages to run.")
@click.option("--quick", is_flag=True, help="Tiny sizes: that everything runs, not how fast.")
@click.option("--seconds", type=float, help="Of video that extraction goes through (default 3).")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Keep the numbers here.")
def main(only: tuple[str, ...], quick: bool, seconds: float | None, output: Path | None) -> None:
    """Time every stage against its baseline, on one thread, and print one table."""
    torch.set_num_threads(1)  # per core: extraction and training run one process a core
    stages = dict(STAGES)
    if seconds is not None:
        stages["extraction"] = partial(extraction.run, seconds=seconds)
    begin, rows, machine = time.perf_counter(), [], this_machine()
    click.echo(describe(machine))
    peaks = measured_peaks(quick)
    click.echo(peaks_line(peaks) + "\n")
    try:
        for name in only or stages:
            started = time.perf_counter()
            rows += stages[name](quick)
            click.echo(f"{name}: {time.perf_counter() - started:.0f} s", err=True)
    finally:  # what was measured before a defect or Ctrl-C is kept
        click.echo(comparison_table(rows) + "\n\n" + LEGEND + "\n")
        click.echo(lower_bound_table(rows, peaks))
        if output is not None:
            save_json(output, machine, peaks, rows, time.perf_counter() - begin)


if __name__ == "__main__":
    main()
