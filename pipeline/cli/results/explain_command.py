"""The command that shows why: where in the frames a detection's class is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import CLASSES, DEVICE, FRAME_FPS, MODEL, RUN, echo
from pipeline.cli.paths import NamedPath


@click.command()
@click.argument("video")
@RUN
@MODEL
@click.option("--top", type=int, metavar="N", help="Explain the N best detections. Default: 3.")
@click.option(
    "--threshold",
    type=float,
    metavar="SCORE",
    help="Leave out detections with lower scores, 0 to 1.",
)
@CLASSES
@click.option(
    "--at",
    type=float,
    metavar="SECONDS",
    help="Explain this moment instead of detections: its best class, or those of --classes.",
)
@click.option(
    "--against",
    multiple=True,
    metavar="LABEL",
    help="Also show this class, on the same scale; repeatable.",
)
@click.option(
    "--to",
    "folder",
    type=NamedPath(),
    metavar="DIR",
    help="The folder to write VIDEO/ to. Default: explain/ in the run folder.",
)
@DEVICE
@FRAME_FPS
def explain(video: str, run_dir: Path | None, model: Path | None, **options: Any) -> None:
    """Show where and when the classifier sees a class.

    VIDEO is the name of a video of the run, or a path. Writes Grad-CAM over the frames (sheet.png and an MP4),
    the evidence and TAdaConv's calibration weights over time (calibration.png), and the numbers (explain.json).

    \b
    Example: tada-loc explain v00 --run-dir runs/own --against stir
    Example: tada-loc explain match.mp4 --model own.tada --at 12.5 --to why
    """
    from pipeline.cli.choosing import chosen_run
    from pipeline.errors import UsageError
    from pipeline.prediction.choosing import Choice
    from pipeline.progress import say
    from pipeline.tools.explain.running import Request
    from pipeline.tools.explain.running import explain as explained
    from pipeline.tools.predict.inputs import Frames

    if run_dir is not None and model is not None:
        raise UsageError("--run-dir and --model are given: give one of the two")
    chosen = model if model is not None else chosen_run(run_dir)
    choice = Choice(*(options.pop(name) for name in ("threshold", "top", "classes")))
    frames = Frames(options.pop("frame_fps"))
    written = explained(Request(chosen, video, choice, frames=frames, **options))
    echo(written.table)
    say(f"explain: {', '.join(written.files)} in {written.folder}")
