"""The commands that take tables and result files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import JSON, NamedPath, configured, echo, start


@click.command()
@click.argument("file", type=NamedPath())
@configured("annotations", run_dir=False)
@click.option("--iou", help="eval.iou: start:step:end (end included) or a comma list.")
@JSON
def score(file: Path, json_file: Path | None, **options: Any) -> None:
    """Score anyone's official result file against annotations.

    FILE is the JSON (.json, .json.gz, .zip) that EPIC-KITCHENS-100, HACS or ActivityNet take. Needs no run
    folder and reads no video.

    Example: tada-loc score submission.json --config ek100 --annotations EPIC_100_validation.csv
    """
    print_scores(file, json_file, options)


def print_scores(file: Path, json_file: Path | None, options: dict[str, Any]) -> None:
    """Print the mAP of a result file, and write the numbers where asked."""
    from pipeline.results.scoring import map_table
    from pipeline.results.scoring import score_file as scored

    config = start("eval", options).given.detection()
    results = scored(config, file)
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, results)
    echo(map_table(results, config.eval))
