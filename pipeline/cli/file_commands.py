"""The commands that take tables and result files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import JSON, NamedPath, configured, echo, start

if TYPE_CHECKING:
    from pipeline.results.scoring.unknown_videos import UnknownVideos


@click.command()
@click.argument("file", type=NamedPath())
@configured("annotations", run_dir=False)
@click.option("--iou", help="eval.iou: start:step:end (end included) or a comma list.")
@click.option(
    "--unknown-videos",
    type=click.Choice(["refuse", "count", "leave-out"]),
    default="refuse",
    show_default=True,
    help="Rows of videos that are not evaluated: count them as false positives, as the official "
    "evaluators do, or leave them out.",
)
@click.option(
    "--ties",
    type=click.Choice(["stable", "official"]),
    help="eval.ties: the order of equal scores. Default: official for result files, stable for tables.",
)
@JSON
def score(
    file: Path, json_file: Path | None, unknown_videos: UnknownVideos, **options: Any
) -> None:
    """Score anyone's detections against annotations.

    FILE is the JSON (.json, .json.gz, .zip) that EPIC-KITCHENS-100, HACS or ActivityNet take, or a table
    (.csv, .csv.gz) of detections or of proposals, as runs write them. Needs no run folder and reads no video.

    \b
    Example: tada-loc score submission.json --config ek100 --annotations EPIC_100_validation.csv
    Example: tada-loc score runs/hacs/classify/detections.csv --config hacs
    """
    print_scores(file, json_file, options, unknown_videos)


def print_scores(
    file: Path,
    json_file: Path | None,
    options: dict[str, Any],
    unknown_videos: UnknownVideos = "refuse",
) -> None:
    """Print the figures of a file, and write them where asked."""
    from pipeline.results.scoring import map_table
    from pipeline.results.scoring import score_file as scored

    _require_nothing_idle(options)
    config = start("eval", options).given.detection()
    results = scored(config, file, unknown_videos)
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, results)
    echo(map_table(results, config.eval, published=results.get("published", True)))


def _require_nothing_idle(options: dict[str, Any]) -> None:
    """Refuse what was given on the command line and a file is not scored by. Raises UsageError."""
    from pipeline.errors import UsageError

    assigned = [text.partition("=")[0] for text in (*options["assignments"], *options["keys"])]
    for name in ("skip", "allow_failures"):
        if options.get(name) is not None or f"runtime.{name}" in assigned:
            raise UsageError(
                f"--{name.replace('_', '-')} (runtime.{name}) does nothing where a file is scored: every video "
                "of the subset counts; leave it out, or name videos in dataset.exclude_videos"
            )
