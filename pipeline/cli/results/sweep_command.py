"""The command that tries other settings of proposals and classes on a trained run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import JSON, RUN, echo

if TYPE_CHECKING:
    from pipeline.runs.run import Run
    from pipeline.tools.sweep.figures import Measured
    from pipeline.tools.sweep.running import Sweep


@click.command()
@click.argument("keys", nargs=-1, required=True, metavar="KEY=VALUE,VALUE,...")
@RUN
@click.option(
    "--trials",
    type=click.IntRange(1),
    metavar="N",
    help="Try N random settings instead of all; KEY=LOW..HIGH is then allowed.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Random seed of --trials and --honest.",
)
@click.option(
    "--honest",
    is_flag=True,
    help="Choose the setting on one half of the videos, and report on the other half.",
)
@click.option(
    "--apply",
    "applied",
    is_flag=True,
    help="Write the best setting to the configuration of the run.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    metavar="N",
    help="Processes that try settings. Default: as in the run.",
)
@JSON
def sweep(
    keys: tuple[str, ...],
    run_dir: Path | None,
    trials: int | None,
    seed: int,
    honest: bool,
    applied: bool,
    workers: int | None,
    json_file: Path | None,
) -> None:
    """Find better post-processing settings for a trained run.

    KEY is a key of what comes after the networks: proposals.alpha, classify.top, detections.sigma (of ActionFormer), ... Nothing
    is trained or decoded; without --apply the run stays as it is. The table is sorted by mAP. An interrupted sweep continues if the
    command is run again.

    \b
    Example: tada-loc sweep --run-dir runs/own detections.sigma=0.3,0.4,0.5 detections.voting=null,0.75
    Example: tada-loc sweep --run-dir runs/bmn proposals.alpha=0.2..0.8 proposals.voting=null,0.75 --trials 50 --honest
    """
    from pipeline.cli.choosing import chosen_run
    from pipeline.tools.sweep.running import prepared, results
    from pipeline.tools.sweep.table import sweep_as_json, sweep_table

    run = _run(chosen_run(run_dir), workers)
    asked = prepared(run, keys, trials=trials, seed=seed, honest=honest)
    found: dict[int, Measured] = {}
    try:
        found.update(results(asked))  # one after the other, as they come
    finally:  # stopped, what is done is shown
        if found:
            echo(sweep_table(asked, found))
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, sweep_as_json(asked, found))
    if applied:
        _apply(asked, found)


def _run(folder: Path, workers: int | None) -> Run:
    from pipeline.configuration.reading import RUN_CONFIG, load_config
    from pipeline.runs.run import Run, run_of

    run = run_of(folder)
    if workers is None:
        return run
    return Run(folder, load_config(folder / RUN_CONFIG, {"runtime.workers": workers}, quiet=True))


def _apply(asked: Sweep, found: Mapping[int, Measured]) -> None:
    from pipeline.configuration.reading import RUN_CONFIG
    from pipeline.progress import say
    from pipeline.tools.sweep.running import apply
    from pipeline.tools.sweep.table import best_of, said

    folder, best = asked.run.folder, best_of(asked, found)
    if best == asked.present:
        say(f"sweep: {folder / RUN_CONFIG} is unchanged: its setting is the best")
        return
    apply(asked, best)
    say(
        f"sweep: {said(asked, best)} written to {folder / RUN_CONFIG}; `tada-loc eval --run-dir {folder}` makes what "
        f"follows from it again and shows mAP {found[best].all.average:.2f}"
    )
