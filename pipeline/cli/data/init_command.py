"""The command that writes a configuration for one's own videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import echo
from pipeline.cli.paths import NamedPath, NamedPlace

if TYPE_CHECKING:
    from pipeline.configuration.sections.urls import Url


@click.command()
@click.argument("videos", type=NamedPlace())
@click.argument("annotations", nargs=-1, required=True, type=NamedPlace())
@click.option(
    "--to",
    "target",
    type=NamedPath(),
    default=Path("tada-loc.yaml"),
    show_default=True,
    metavar="FILE",
    help="The configuration file to write.",
)
@click.option(
    "--for",
    "kind",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="What the run will use; auto: a GPU if there is one.",
)
@click.option(
    "--frame-fps",
    type=float,
    metavar="RATE",
    help="Frames per second of videos that are folders of frames (dataset.frame_fps).",
)
@click.option(
    "--annotation-fps",
    type=float,
    metavar="RATE",
    help="Frames per second of annotations that count frames, if nothing else says it (dataset.annotation_fps).",
)
@click.option(
    "--frames",
    metavar="PATTERN",
    help="File names of the frames, such as img_%05d.jpg, if a folder holds several sets (dataset.frames).",
)
@click.option(
    "--train-subset",
    metavar="NAME",
    help="The subset to train on (dataset.train_subset). Default: training.",
)
@click.option(
    "--eval-subset",
    metavar="NAME",
    help="The subset to evaluate on (dataset.eval_subset). Default: validation.",
)
@click.option(
    "--allow-beyond",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Share of the segments that may end after the end of their video (dataset.allow_beyond).",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    metavar="N",
    help="Processes that read the videos.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def init(
    videos: Path | Url,
    annotations: tuple[Path | Url, ...],
    target: Path,
    kind: str,
    workers: int,
    force: bool,
    **dataset: Any,
) -> None:
    """Write a configuration for your own videos.

    VIDEOS is their folder. ANNOTATIONS is a table video,start,end,label[,subset] in seconds, one table for training and one
    for validation, or any format that `tada-loc convert` reads. Both may be addresses (s3://...). A comment in the file
    gives the reason for each value.

    Example: tada-loc init videos own.csv
    """
    from pipeline.tools.init.configuration import dataset_section, write_configuration

    section = dataset_section(videos, annotations, **dataset)
    echo(write_configuration(section, target, kind=kind, workers=workers, force=force))
