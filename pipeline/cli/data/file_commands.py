"""The commands that take annotations, tables and result files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import AT, IOU, JSON, WHY, configured, echo, start
from pipeline.cli.paths import NamedPath

if TYPE_CHECKING:
    from pipeline.results.scoring.unknown_videos import UnknownVideos


@click.command()
@click.argument("file", type=NamedPath())
@IOU
@click.option(
    "--unknown-videos",
    type=click.Choice(["refuse", "count", "leave-out"]),
    default="refuse",
    show_default=True,
    help="Detections in videos that are not evaluated: refuse the file, count them as false positives "
    "(as the official evaluators do), or leave them out.",
)
@click.option(
    "--ties",
    type=click.Choice(["stable", "official"]),
    help="The order of equal scores (eval.ties). Default: official for result files, stable for tables.",
)
@WHY
@AT
@JSON
@configured("annotations", run_dir=False)
def score(
    file: Path,
    json_file: Path | None,
    unknown_videos: UnknownVideos,
    why: bool,
    at: float,
    **options: Any,
) -> None:
    """Score any file of detections against annotations.

    FILE is a result file of EPIC-KITCHENS-100, HACS or ActivityNet (.json, .json.gz, .zip), or a table as runs write
    them (.csv, .csv.gz). Without labels, either holds proposals. No run folder is needed and no video is read.

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
    help="The file to write: .csv (a table) or .json (ActivityNet's format).",
)
@click.option(
    "--format",
    "form",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="The format of IN, as in dataset.format; auto: recognized from the content.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0, min_open=True),
    metavar="RATE",
    help="Frames per second, if IN counts frames and does not say at which rate.",
)
@click.option(
    "--videos",
    type=NamedPath(),
    metavar="DIR",
    help="The folder of the videos: frames are then counted at the rate of each video.",
)
@click.option(
    "--classes",
    type=NamedPath(),
    metavar="FILE",
    multiple=True,
    help="Class names, one per line; repeatable (dataset.classes).",
)
@click.option(
    "--video-info",
    type=NamedPath(),
    metavar="FILE",
    help="A file with subsets and lengths of the videos (dataset.video_info).",
)
@click.option("--subset", metavar="NAME", help="The subset of all videos, if IN names none.")
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
    """Convert annotations of other tools into a table.

    IN are files, or folders of files, of Label Studio, CVAT, ELAN, VIA, BORIS, Audacity, ActivityNet, THUMOS14, Charades and
    others (docs/reference/annotations.md). What is left out is counted and reported.

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
