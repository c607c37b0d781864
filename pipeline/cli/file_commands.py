"""The commands that take files of other programs: scores of result files, features in and out."""

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


@click.command("import-features")
@configured("annotations", "videos", "allow-failures", "skip", "force")
@click.option(
    "--from",
    "source",
    required=True,
    type=NamedPath(),
    metavar="FOLDER",
    help="Holds VIDEO.npy, VIDEO.npz or VIDEO.pt, float [features, channels].",
)
@click.option("--fps", type=float, required=True, help="Frames a second the features were made at.")
@click.option(
    "--stride", type=int, required=True, help="Frames from feature to feature, at that rate."
)
@click.option("--frames", type=int, default=8, show_default=True, help="Frames a clip had.")
@click.option(
    "--interval",
    type=int,
    default=8,
    show_default=True,
    help="Frames from one to the next in a clip.",
)
@click.option(
    "--short-side", type=int, help="Short side of the frames in pixels, where it is known."
)
@click.option(
    "--layout",
    type=click.Choice(["nc", "cn"]),
    default="nc",
    show_default=True,
    help="nc: [features, channels]; cn: [channels, features].",
)
def import_features(force: bool, source: Path, layout: str, **options: Any) -> None:
    """Take features made elsewhere in place of extract's.

    Feature i stands for the seconds [i, i + 1) * stride / fps.

    Example: tada-loc import-features --config hacs --from features --fps 30 --stride 16
    """
    from pipeline.stages.import_features import run as take

    short_side = options["short_side"]
    take(start("extract", options, force=force), source, layout=layout, short_side=short_side)


@click.command("export-features")
@configured("annotations", "allow-failures", "skip")
@click.option(
    "--to",
    "target",
    required=True,
    type=NamedPath(),
    metavar="FOLDER",
    help="Where VIDEO.npy and grid.json go.",
)
def export_features(target: Path, **options: Any) -> None:
    """Write the run's features as .npy, for OpenTAD and ActionFormer.

    grid.json beside them says the time of each feature.

    Example: tada-loc export-features --run-dir runs/hacs --to features
    """
    from pipeline.tools.export import export_features as write

    write(start(None, options), target)
