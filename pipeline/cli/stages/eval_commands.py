"""Evaluation on the command line: of detections, and of the classifier alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.data.file_commands import print_scores
from pipeline.cli.options import ALL, AT, IOU, JSON, WHY, configured, echo, start
from pipeline.cli.paths import NamedPath
from pipeline.cli.results.report_command import say_report
from pipeline.cli.stages.doing import do


@click.command("eval")
@IOU
@WHY
@AT
@JSON
@click.option(
    "--detections", type=NamedPath(), hidden=True, help="What `tada-loc score FILE` does today."
)
@configured(*ALL)
def evaluate(
    json_file: Path | None, detections: Path | None, why: bool, at: float, **options: Any
) -> None:
    """Report mAP over tIoU thresholds, and what limits it.

    Classifies first if that is not done yet. `tada-loc score` scores a result file from elsewhere.

    \b
    Example: tada-loc eval --iou 0.1:0.1:0.5
    Example: tada-loc eval --run-dir runs/own --why
    """
    if detections is not None:
        options.pop("force"), options.pop("verify")
        print_scores(detections, json_file, options, at=at if why else None)
        return
    run = do("eval", options, quiet=("classify",))
    if why:
        from pipeline.tools.why.analysis import why as explained
        from pipeline.tools.why.tables import why_table

        echo("\n" + why_table(explained(run, at)))
    if json_file is not None:
        from pipeline.run_folder.files import write_report
        from pipeline.stages.evaluate import numbers

        write_report(json_file, numbers(run) | ({"why": explained(run, at)} if why else {}))
    say_report(run)


@click.command("eval-classifier")
@click.option("--clips", type=int, metavar="N", help="Clips per segment (views.clips).")
@click.option("--crops", type=int, metavar="N", help="Crops per clip (views.crops).")
@click.option(
    "--with",
    "others",
    multiple=True,
    type=NamedPath(),
    metavar="RUN_DIR",
    help="Another run, whose probabilities are averaged with this one's; repeatable.",
)
@configured(*ALL)
def eval_classifier(others: tuple[Path, ...], force: bool, verify: bool, **options: Any) -> None:
    """Measure the accuracy of the classifier alone.

    Every segment is seen in several clips and crops, whose probabilities are averaged.

    \b
    Example: tada-loc eval-classifier --config k400
    Example: tada-loc eval-classifier --run-dir runs/ssv2 --with runs/ssv2_16
    """
    from pipeline.run_folder.lock import linked_folders, locked
    from pipeline.runs.run import run_of
    from pipeline.stages.eval_classifier import accuracy_table
    from pipeline.stages.eval_classifier import run as test

    run = start("views", options, force=force, verify=verify)
    with locked(run.folder, *linked_folders(run.path("eval-classifier"), run.folder)):
        test(run, [run_of(other) for other in others])
    echo(accuracy_table(run))
