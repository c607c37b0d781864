"""The command that shows why: where in the frames a detection's class is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import NamedPath, echo


@click.command()
@click.argument("video")
@click.option(
    "--run-dir", type=NamedPath(), metavar="DIR", help="The run. Default: the only one in runs/."
)
@click.option(
    "--model", type=NamedPath(), metavar="FILE", help="A model file in place of a run (`export`)."
)
@click.option("--top", type=int, metavar="N", help="The N best detections. Default: 3.")
@click.option("--threshold", type=float, metavar="SCORE", help="No detections of lower scores.")
@click.option("--classes", multiple=True, metavar="A,B", help="These classes alone; repeatable.")
@click.option(
    "--at",
    type=float,
    metavar="SECONDS",
    help="This moment in place of detections: its best class, or those of --classes.",
)
@click.option(
    "--against",
    multiple=True,
    metavar="LABEL",
    help="Show this class, too, on the same scale; repeatable.",
)
@click.option(
    "--to",
    "folder",
    type=NamedPath(),
    metavar="DIR",
    help="Where DIR/VIDEO is written. Default: explain in the run's folder.",
)
@click.option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, ...")
@click.option(
    "--frame-fps",
    type=click.FloatRange(0, min_open=True),
    metavar="RATE",
    help="Frames per second of a folder of frames.",
)
def explain(video: str, run_dir: Path | None, model: Path | None, **options: Any) -> None:
    """Show where and when in a video a detection's class is seen.

    VIDEO is a video of the run by its name, or a path. Writes Grad-CAM over the frames (sheet.png and an MP4),
    the evidence and TAdaConv's calibration weights over time (calibration.png), and the numbers (explain.json).

    \b
    Example: tada-loc explain kitchen_12 --run-dir runs/own --against stir
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
