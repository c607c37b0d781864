"""The command that turns annotations of one form into another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import NamedPath, echo


@click.command()
@click.argument("annotations", nargs=-1, required=True, type=NamedPath(), metavar="IN...")
@click.option(
    "--to",
    "target",
    type=NamedPath(),
    required=True,
    metavar="OUT",
    help="What to write: a .csv (a table of your own) or a .json (ActivityNet's form).",
)
@click.option(
    "--format",
    "form",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="The form of IN, as dataset.format names it; auto: told from what is in it.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0, min_open=True),
    metavar="RATE",
    help="Frames a second, where IN counts frames and does not say.",
)
@click.option(
    "--videos", type=NamedPath(), metavar="DIR", help="The videos, whose own rates are then used."
)
@click.option(
    "--classes", type=NamedPath(), metavar="FILE", help="Class names, one a line.", multiple=True
)
@click.option(
    "--video-info", type=NamedPath(), metavar="FILE", help="dataset.video_info: subsets, lengths."
)
@click.option("--subset", metavar="NAME", help="The subset of all videos, where IN names none.")
@click.option("--force", is_flag=True, help="Write OUT anew if it exists.")
def convert(
    annotations: tuple[Path, ...],
    target: Path,
    form: str,
    fps: float | None,
    videos: Path | None,
    classes: tuple[Path, ...],
    video_info: Path | None,
    **more: Any,
) -> None:
    """Turn annotations of other tools and data sets into a table.

    IN are files, or folders of them, of Label Studio, CVAT, ELAN, VIA, BORIS, Audacity, ActivityNet, THUMOS14,
    Charades and others (docs/annotations.md). What is left out is counted and said.

    \b
    Example: tada-loc convert labelstudio.json --to own.csv --videos videos
    Example: tada-loc convert TH14_annotations --format thumos14 --to thumos14.json
    """
    from pipeline.data.annotations.dataset import Inputs
    from pipeline.data.annotations.formats import AUTO, FORMATS
    from pipeline.errors import UsageError
    from pipeline.tools.convert import convert as converted

    if form != AUTO and form not in FORMATS:
        raise UsageError(f"--format {form}: give {AUTO}, {', '.join(sorted(FORMATS))}")
    if videos is not None and not videos.is_dir():
        raise UsageError(f"--videos {videos}: no such folder of videos")
    inputs = Inputs((), classes=classes, video_info=video_info, videos=videos, fps=fps)
    echo("\n".join(converted(annotations, target, form=form, inputs=inputs, **more)))
