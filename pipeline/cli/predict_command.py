"""The command that uses a trained model on any videos."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import CLASSES, DEVICE, FRAME_FPS, MODEL, RUN, SHARD, echo
from pipeline.cli.paths import NamedPath

if TYPE_CHECKING:
    from pipeline.prediction.choosing import Choice
    from pipeline.shards import Shard
    from pipeline.tools.predict.request import Request

FORMS = {  # option: what it writes; pipeline.tools.predict.files.forms.OPTIONS, without importing it for --help
    "timeline": "Write an HTML page per video, with the video and its detections to click through.",
    "subtitles": "Write the detections as subtitles: SRT and VTT.",
    "render": "Write a copy of the video (MP4) with the detections drawn in.",
    "clips": "Write each detection as a clip (MP4).",
    "label-studio": "Write tasks for Label Studio, and its labeling interface.",
    "elan": "Write an ELAN document per video.",
    "via": "Write a VIA 3 project per video.",
}


def _forms(command: Callable[..., None]) -> Callable[..., None]:
    for name, says in reversed(FORMS.items()):
        command = click.option(f"--{name}", is_flag=True, help=says)(command)
    return command


@click.command()
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...")
@RUN
@MODEL
@click.option(
    "--to",
    "target",
    type=NamedPath(),
    default=Path("predictions"),
    show_default=True,
    metavar="DIR",
    help="The folder to write to.",
)
@click.option(
    "--threshold",
    type=float,
    metavar="SCORE",
    help="Leave out detections with lower scores, 0 to 1.",
)
@click.option("--top", type=int, metavar="N", help="At most the N best detections of each video.")
@CLASSES
@_forms
@click.option(
    "--save-features", is_flag=True, help="Also write the features: an HDF5 file per video."
)
@DEVICE
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    help="Number format of the backbone (extract.precision). Default: as in the run.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    metavar="N",
    help="Processes that work on videos; 0: the main process does. Default: as in the run.",
)
@click.option(
    "--allow-failures",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    show_default=True,
    help="Succeed if at most N videos fail.",
)
@click.option("--allow-partial", is_flag=True, help="Use what can be read of damaged videos.")
@FRAME_FPS
@click.option(
    "--annotations",
    type=NamedPath(),
    metavar="FILE",
    help="Annotations to show as ground truth on the timeline.",
)
@SHARD
def predict(
    videos: tuple[str, ...],
    run_dir: Path | None,
    model: Path | None,
    target: Path,
    **options: Any,
) -> None:
    """Detect actions in any videos with a trained model.

    VIDEO is a file, a folder of videos or of frames, a pattern, or a text file of paths. The detections are those that
    `tada-loc run` gives for the same video. An interrupted command continues if it is run again. Start it several times,
    on any machines that share the folder, and the processes divide the videos among themselves.

    \b
    Example: tada-loc predict match.mp4 --run-dir runs/own --threshold 0.3 --timeline
    Example: tada-loc predict videos --model own.tada --to found --subtitles --elan
    Example: tada-loc predict videos --run-dir runs/own --to found --shard 3/16
    """
    from pipeline.notebook.text import found_table
    from pipeline.prediction.choosing import Choice
    from pipeline.progress import say
    from pipeline.tools.predict.inputs import Frames, find_inputs

    chosen = _chosen(run_dir, model)
    choice = Choice(*(options.pop(name) for name in ("threshold", "top", "classes")))
    sources = find_inputs(videos, Frames(options.pop("frame_fps")), aside=target)
    options["shard"] = _shard(options["shard"], len(sources))

    # Imports torch, which a mistake above need not wait for.
    from pipeline.tools.predict.running import predict as predicted

    counts: list[int] = []
    try:
        for found in predicted(sources, _request(chosen, target, choice, options)):
            echo(found_table(found))
            counts.append(len(found.detections))
    finally:
        if counts:
            say(f"predict: {_told(counts)}; the files are in {target}")


def _chosen(run_dir: Path | None, model: Path | None) -> Path:
    """The run or model file that is meant. Raises UsageError for both."""
    from pipeline.cli.choosing import chosen_run
    from pipeline.errors import UsageError

    if run_dir is not None and model is not None:
        raise UsageError("--run-dir and --model are given: give one of the two")
    return model if model is not None else chosen_run(run_dir)


def _shard(text: str | None, videos: int) -> Shard | None:
    """The share of this process, reported. Fewer videos than a job array has tasks are not shared out.

    A task of an array is often given a video of its own.
    """
    from pipeline.progress import say
    from pipeline.shards import shard_of

    shard = shard_of(text, os.environ)
    if shard is None or (text is None and shard.count > videos):
        return None
    say(f"predict: {shard.said}")
    return shard


def _told(counts: list[int]) -> str:
    """How many detections there are in how many videos."""
    found, videos = sum(counts), len(counts)
    return f"{found} detection{'s' * (found != 1)} in {videos} video{'s' * (videos != 1)}"


def _request(model: Path, folder: Path, choice: Choice, options: dict[str, Any]) -> Request:
    from pipeline.tools.predict.request import Request

    forms = tuple(name for name in FORMS if options.pop(name.replace("-", "_")))
    return Request(model, folder, choice, forms, **options)
