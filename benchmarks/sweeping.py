"""`python -m benchmarks.sweeping RUN_DIR`: 50 settings after the networks on a copy of a trained run."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import click

from pipeline.runs.run import run_of
from pipeline.tools.sweep.running import prepared, results

WORDS = (
    "proposals.alpha=0.2,0.3,0.4,0.6,0.8",
    "proposals.cls_power=0.8,1,1.2,1.5,2",
    "classify.top=1,2",
)


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path, exists=True))
def main(run_dir: Path) -> None:
    """Seconds of the clock and of the processor, with maps to be made first and with kept ones."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(run_dir, Path(folder) / run_dir.name)
        for name in ("bmn/proposals/maps", "sweep"):
            shutil.rmtree(copy / name, ignore_errors=True)
        for what in ("maps made first", "maps kept"):
            shutil.rmtree(copy / "sweep", ignore_errors=True)
            clock, processor = time.perf_counter(), time.process_time()
            count = len(list(results(prepared(run_of(copy), WORDS))))
            wall, cpu = time.perf_counter() - clock, time.process_time() - processor
            click.echo(f"{count} settings, {what}: {wall:.1f} s, {cpu:.1f} s of this process")


if __name__ == "__main__":
    main()
