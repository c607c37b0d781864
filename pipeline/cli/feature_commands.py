"""The commands that take features of other programs in, and give ours out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import NamedPath, configured, start


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
