"""The command that makes the report of a run, or of any detections; and the small form that other commands leave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.data.file_commands import require_nothing_idle
from pipeline.cli.options import configured, echo, start
from pipeline.cli.paths import NamedPath

if TYPE_CHECKING:
    from pipeline.results.scoring.unknown_videos import UnknownVideos
    from pipeline.runs.run import Run


@click.command()
@click.option(
    "--to",
    "target",
    type=NamedPath(),
    metavar="DIR",
    help="The folder to write the page to. Default: report/ in the run folder; with --detections, report/ in this folder.",
)
@click.option(
    "--detections",
    type=NamedPath(),
    metavar="FILE",
    help="A result file or a table of detections, instead of a run.",
)
@click.option(
    "--unknown-videos",
    type=click.Choice(["refuse", "count", "leave-out"]),
    help="Detections in videos that are not evaluated: refuse the file (the default), count them as false positives, or "
    "leave them out.",
)
@configured("annotations", "videos", "skip")
def report(
    target: Path | None,
    detections: Path | None,
    unknown_videos: UnknownVideos | None,
    **options: Any,
) -> None:
    """Make an HTML page of a run's results, videos and errors.

    The run must have been evaluated (`tada-loc eval`). If the videos are there, the page shows frames of the errors. It opens
    from disk, without a network.

    \b
    Example: tada-loc report --run-dir runs/own
    Example: tada-loc report --detections result.json --annotations truth.json --config hacs
    """
    from pipeline.errors import UsageError
    from pipeline.tools.report.making import make_file_report, make_report

    if detections is None:
        if unknown_videos is not None:
            raise UsageError(
                "--unknown-videos: applies to --detections only; a run has no such rows. Leave it out"
            )
        page = make_report(start(None, options), target)
    else:
        require_nothing_idle(options)
        config = start("eval", _of_file(options)).given.detection()
        page = make_file_report(
            config, detections, target or Path("report"), unknown_videos or "refuse"
        )
    echo(str(page))


def say_report(run: Run) -> None:
    """Make sure there is a report of an evaluated run's results, and print where, as the last line."""
    from pipeline.progress import say
    from pipeline.ranks import ranks
    from pipeline.tools.report.making import make_small_report

    page = make_small_report(run) if ranks().is_main else None
    if page is not None:
        say(f"report: {page}")


def _of_file(options: dict[str, Any]) -> dict[str, Any]:
    """Without a configuration or a run, annotations of any form are read. Raises UsageError without annotations."""
    from pipeline.errors import UsageError

    if options["config"] is None and options["run_dir"] is None:
        if options["annotations"] is None:
            raise UsageError(
                "--detections: give the ground truth with --annotations, or --config or --run-dir"
            )
        found = ["dataset.format=auto", "dataset.classes=null", *options.pop("assignments")]
        return {**options, "config": "small", "assignments": tuple(found)}
    return options
