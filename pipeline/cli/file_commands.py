"""The commands that take annotations, tables and result files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import AT, JSON, WHY, NamedPath, configured, echo, start

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
@WHY
@AT
@JSON
def score(
    file: Path,
    json_file: Path | None,
    unknown_videos: UnknownVideos,
    why: bool,
    at: float,
    **options: Any,
) -> None:
    """Score anyone's detections against annotations.

    FILE is the JSON (.json, .json.gz, .zip) that EPIC-KITCHENS-100, HACS or ActivityNet take, or a table
    (.csv, .csv.gz) of detections or of proposals, as runs write them. Needs no run folder and reads no video.

    \b
    Example: tada-loc score submission.json --config ek100 --annotations EPIC_100_validation.csv
    Example: tada-loc score runs/hacs/classify/detections.csv --config hacs --why
    """
    print_scores(file, json_file, options, unknown_videos, at=at if why else None)


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
    help="The form of IN, as dataset.format names it; auto: detected from its content.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0, min_open=True),
    metavar="RATE",
    help="Frames per second, where IN counts frames and does not say.",
)
@click.option(
    "--videos", type=NamedPath(), metavar="DIR", help="The videos, whose own rates are then used."
)
@click.option(
    "--classes", type=NamedPath(), metavar="FILE", help="Class names, one per line.", multiple=True
)
@click.option(
    "--video-info", type=NamedPath(), metavar="FILE", help="dataset.video_info: subsets, lengths."
)
@click.option("--subset", metavar="NAME", help="The subset of all videos, where IN names none.")
@click.option("--force", is_flag=True, help="Overwrite OUT if it exists.")
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
    Charades and others (docs/reference/annotations.md). What is left out is counted and reported.

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


def print_scores(
    file: Path,
    json_file: Path | None,
    options: dict[str, Any],
    unknown_videos: UnknownVideos = "refuse",
    *,
    at: float | None = None,
) -> None:
    """Print the figures of a file, and write them where asked; with the kinds of errors at the tIoU `at`."""
    from pipeline.errors import UserError
    from pipeline.results.scoring import map_table
    from pipeline.results.scoring.given import read_scored, score_given

    require_nothing_idle(options)
    config = start("eval", options).given.detection()
    given = read_scored(config, file, unknown_videos)
    results = score_given(config, given, file)
    text = map_table(results, config.eval, published=results.get("published", True))
    if at is not None:
        from pipeline.tools.why.analysis import why_of_file
        from pipeline.tools.why.tables import why_table

        if "label" not in given.table:
            raise UserError(
                f"{file}: holds proposals, and --why needs detections with labels; leave --why out"
            )
        results["why"] = why_of_file(given, at)
        text += "\n\n" + why_table(results["why"])
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, results)
    echo(text)


def require_nothing_idle(options: dict[str, Any]) -> None:
    """Refuse options on the command line that scoring a file does not use. Raises UsageError."""
    from pipeline.errors import UsageError

    assigned = [text.partition("=")[0] for text in (*options["assignments"], *options["keys"])]
    for name in ("skip", "allow_failures"):
        if options.get(name) is not None or f"runtime.{name}" in assigned:
            raise UsageError(
                f"--{name.replace('_', '-')} (runtime.{name}) has no effect when a file is scored: every video "
                "of the subset counts; leave it out, or name videos in dataset.exclude_videos"
            )
