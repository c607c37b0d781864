"""An EPIC-KITCHENS-100 result file to its table: whole through `json`, and a piece at a time.

`python -m benchmarks.result_files --rows 10000000` scores one file as `tada-loc score` does and says CPU seconds and peak memory.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd

from benchmarks.drawn import draw_submission, read_or_draw_truth, with_label
from benchmarks.measure import Form, Row, Work, absolute_difference, compare
from evaluation import detection_map, operating_points, submission

STAGE = "result file"
ROWS, QUICK_ROWS = 200_000, 300
COLUMNS = ("start", "end", "score", "verb", "noun")
TASKS = ("verb", "noun", "action")
_HEAD = '{"version": "0.2", "challenge": "action_detection", "sls_pt": 2, "sls_tl": 3, "sls_td": 3, "results": {'


def run(quick: bool) -> list[Row]:
    """Seconds per file; all numbers of all detections are compared."""
    rows = QUICK_ROWS if quick else ROWS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        write_drawn(path, draw_submission(read_or_draw_truth(quick)[0], rows))
        text = f"{rows} detections, {path.stat().st_size / 1e6:.0f} MB of JSON to a table"
        return compare(
            Work(STAGE, text, absolute_difference, ""),
            Form("json.loads, a loop over detections", lambda: baseline_columns(path)),
            [Form("pieces, typed objects, columns", lambda: our_columns(path))],
            runs=1 if quick else 5,
        )


def write_drawn(path: Path, found: pd.DataFrame) -> None:
    """Write detections (video, start, end, score, verb, noun) as a result file, a video at a time."""
    row = '{{"verb": {}, "noun": {}, "action": "{}", "score": {!r}, "segment": [{!r}, {!r}]}}'
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEAD)
        for number, (video, rows) in enumerate(found.groupby("video")):
            columns = (rows[name].tolist() for name in ("verb", "noun", "score", "start", "end"))
            lines = [
                row.format(v, n, f"{v},{n}", *times) for v, n, *times in zip(*columns, strict=True)
            ]
            file.write(f"{', ' if number else ''}{json.dumps(video)}: [{', '.join(lines)}]")
        file.write("}}")


def our_columns(path: Path) -> list[np.ndarray]:
    """The numbers of all detections, [n] a column."""
    table = submission.read_epic_kitchens(path)
    return [table[name].to_numpy() for name in COLUMNS]


def baseline_columns(path: Path) -> list[np.ndarray]:
    """The same as the official evaluator reads them, a detection at a time."""
    results = json.loads(path.read_bytes())["results"]
    rows = [
        (*one["segment"], one["score"], one["verb"], one["noun"])
        for detections in results.values()
        for one in detections
    ]
    return list(np.array(rows, np.float64).T)


@click.command()
@click.option("--rows", default=1_000_000, help="Detections.")
def main(rows: int) -> None:
    """Read and score a drawn result file, and say what it takes."""
    truth, kind = read_or_draw_truth(False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        write_drawn(path, draw_submission(truth, rows))
        size = path.stat().st_size
        # In a process of its own: this one has held what the file was made of.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            said = pool.apply(score, (path, truth))
        click.echo(f"{rows} detections, {size / 1e6:.0f} MB, {kind}: {said}")


def score(path: Path, truth: pd.DataFrame) -> str:
    """Read and score a file: seconds of both and the peak memory of the process, in words."""
    begin = time.process_time()
    found = submission.read_epic_kitchens(path, zero_length=True)
    read = time.process_time() - begin
    label = truth["verb"].astype(str) + "," + truth["noun"].astype(str)
    for task in TASKS:
        named = found if task == "action" else with_label(found, task)
        wanted = truth.assign(label=label) if task == "action" else with_label(truth, task)
        detection_map(wanted, named, np.linspace(0.1, 0.5, 5), ties="official")
    operating_points(truth.assign(label=label), found, ties="official")
    spent = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"read in {read:.1f} s, read and scored in {spent:.1f} s of CPU, {peak:.0f} MiB at most"


if __name__ == "__main__":
    main()
