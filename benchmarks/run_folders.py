"""What it costs to see that nothing has to be done: `status` and `run` on finished runs of many videos.

python -m benchmarks.run_folders [--videos 1000,2500,5000] [--repeats N] [--json FILE]

The runs are made by the program's own recording of made-up files: small videos that do not decode, features
of a few clips, a row per video. Each command is a process of its own, as a user starts it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks.machine import describe, this_machine
from pipeline.cli.paths import NamedPath
from pipeline.configuration.reading import find_config, load_config
from pipeline.progress import say
from pipeline.results.tables import DETECTIONS
from pipeline.run_folder.files import write_json, write_text
from pipeline.run_folder.identity import record_of
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.runs.graph import StageRow
from pipeline.runs.inputs.fields import VIDEOS, made_by
from pipeline.runs.run import Run
from pipeline.runs.ways import in_order
from pipeline.runs.work import work_of

COMMANDS = {
    "status": ("status",),
    "run, all complete": ("run",),
    "status --verify": ("status", "--verify"),
    "verify": ("verify",),
}


def make_run(folder: Path, videos: int) -> Run:
    """A run of this many videos, a fifth of them for evaluation, that is complete as far as is recorded."""
    rng = np.random.default_rng(0)
    (folder / "videos").mkdir(parents=True)
    rows = ["video,start,end,label,subset"]
    for number in range(videos):
        name = f"video_{number:06d}"
        (folder / f"videos/{name}.mp4").write_bytes(rng.bytes(20_000))
        subset = "validation" if number % 5 == 0 else "training"
        rows += [f"{name},{k},{k + 1},class {k % 3},{subset}" for k in range(5)]
    write_text(folder / "rows.csv", "\n".join(rows) + "\n")
    own = {
        "dataset.annotations": str(folder / "rows.csv"),
        "dataset.videos": str(folder / "videos"),
        "runtime.device": "cpu",
    }
    run = Run(folder / "run", load_config(find_config("demo"), own))
    run.keep_config()
    run.sightings.keep(run.folder)
    for stage in in_order():
        _finish(run, stage, rng)
    return run


def _finish(run: Run, stage: StageRow, rng: np.random.Generator) -> None:
    opened = run.open(stage.name)
    for name in opened.outputs:
        if stage.name == "eval":
            continue
        if name.endswith(".csv"):
            label = ("class 0",) if name == DETECTIONS else ()
            rows = [
                (video, k, k + 1.5, *label, 0.5)
                for video in run.dataset.video_ids(run.subsets[1])
                for k in range(5)
            ]
            header = "video,start,end,label,score" if label else "video,start,end,score"
            lines = (",".join(map(str, row)) for row in rows)
            write_text(opened.folder / name, "\n".join([header, *lines]) + "\n")
        else:
            write_json(opened.folder / name, {})
    if stage.name == "eval":
        work_of(stage)(run)
        return
    of: Mapping[str, str] = {}
    if stage.name == "extract":
        of = run.sightings.identities
    elif stage.part:
        of = opened.fields[VIDEOS]
    ledger, by = Ledger(opened.folder), made_by(opened.fields)
    for video, digest in of.items():
        path = opened.folder / stage.part_of(video)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(rng.bytes(4000))
        file = record_of(path)
        ledger.lines[video] = Made(video=video, by=by, of=digest, file=file, content=file.sha256)
    if of:
        ledger.write()
    opened.finish(weights="made up" if stage.valuable else None)


def seconds_of(run: Run, arguments: tuple[str, ...], repeats: int) -> tuple[float, str]:
    """Median seconds of a command in a process of its own, and the last line it says."""
    line = [sys.executable, "-m", "pipeline", *arguments, "--run-dir", str(run.folder)]
    taken, said = [], ""
    for _ in range(repeats):
        began = time.perf_counter()
        done = subprocess.run(
            line, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        taken.append(time.perf_counter() - began)
        said = (done.stdout or done.stderr).strip().splitlines()[-1]
    return median(taken), said


@click.command()
@click.option("--videos", default="1000,2500,5000", show_default=True, help="Sizes, a comma list.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option("--json", "json_file", type=NamedPath(), help="Write the figures here too.")
def main(videos: str, repeats: int, json_file: Path | None) -> None:
    """Time commands that have nothing to do on runs of many videos."""
    sizes = [int(text) for text in videos.split(",")]
    machine = this_machine()
    click.echo(describe(machine))
    rows: dict[str, dict[int, float]] = {name: {} for name in COMMANDS}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            say(f"making a run of {size} videos")
            run = make_run(Path(folder), size)
            for name, arguments in COMMANDS.items():
                rows[name][size], said = seconds_of(run, arguments, repeats)
                say(f"{name}, {size} videos: {rows[name][size]:.2f} s ({said})")
    click.echo("seconds".ljust(20) + "".join(f"{size} videos".rjust(14) for size in sizes))
    for name, times in rows.items():
        click.echo(name.ljust(20) + "".join(f"{times[size]:14.2f}" for size in sizes))
    if json_file is not None:
        figures: dict[str, Any] = {"machine": describe(machine), "seconds": rows}
        write_json(json_file, figures)


if __name__ == "__main__":
    main()
