"""The commands around a run: how it stands, what is wrong with its data, what it will cost, the demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import (
    JSON,
    KEYS,
    LOG,
    SET,
    NamedPath,
    NamedPlace,
    configured,
    echo,
    overrides,
    start,
)
from pipeline.cli.results.report_command import say_report

if TYPE_CHECKING:
    from pipeline.configuration.sections.urls import Url

# feature_extraction.backbones.BACKBONES, without importing torch for --help.
BACKBONE_NAMES = (
    "tada2d",
    "tsn",
    "slowonly_8x8",
    "slowonly_8x8_tada",
    "slowfast_4x16",
    "slowfast_4x16_tada",
    "slowfast_8x8",
    "slowfast_8x8_tada",
    "r2plus1d",
    "r2plus1d_tada_2d",
    "r2plus1d_tada_2d1d",
    "r3d",
    "r3d_tada",
)


@click.command()
@configured("annotations", "videos", "skip", "verify")
@JSON
def status(json_file: Path | None, verify: bool, **options: Any) -> None:
    """Show what is done, what a stage took, and why it would run again.

    Says of features which videos are missing or not current. Changes nothing.

    Example: tada-loc status --run-dir runs/hacs
    """
    from pipeline.tools.status import standings, status_as_json, status_table

    run = start(None, options, verify=verify)
    found = standings(run)
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, status_as_json(run, found))
    echo(status_table(run, found))


@click.command()
@configured("annotations", "videos", "skip")
@JSON
def verify(json_file: Path | None, **options: Any) -> None:
    """Read every byte of a run and compare it with what was written.

    Changes nothing; the exit code is 1 where something is not what was written.

    Example: tada-loc verify --run-dir runs/hacs
    """
    from pipeline.tools.verify import verify_run

    checked = verify_run(start(None, options, verify=True))
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, {"files": checked.files, "faults": list(checked.faults)})
    echo(checked.text)
    if checked.faults:
        click.get_current_context().exit(1)


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
    help="The configuration to write.",
)
@click.option(
    "--for",
    "kind",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="What it will run on; auto: a GPU if there is one.",
)
@click.option(
    "--frame-fps", type=float, metavar="RATE", help="Frames per second of folders of frames."
)
@click.option(
    "--annotation-fps",
    type=float,
    metavar="RATE",
    help="Frames per second that annotations in frames count at, where nothing else says.",
)
@click.option(
    "--frames",
    metavar="PATTERN",
    help="Names of the frames, such as img_%05d.jpg, where a folder holds several sets.",
)
@click.option(
    "--train-subset", metavar="NAME", help="The subset to train on, where it is not training."
)
@click.option(
    "--eval-subset", metavar="NAME", help="The subset to measure on, where it is not validation."
)
@click.option(
    "--allow-beyond",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="dataset.allow_beyond: segments that may end after their video's end.",
)
@click.option("--workers", type=click.IntRange(0), default=2, help="Processes that look at videos.")
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
    """Write a configuration that suits your own videos.

    VIDEOS is their folder, ANNOTATIONS a table video,start,end,label[,subset] in seconds (or one for
    training and one for validation), or what `tada-loc convert` reads; addresses (s3://...), too. Every line says why it is as it is.

    Example: tada-loc init videos own.csv
    """
    from pipeline.tools.init.configuration import dataset_section, write_configuration

    section = dataset_section(videos, annotations, **dataset)
    echo(write_configuration(section, target, kind=kind, workers=workers, force=force))


@click.command()
@configured("annotations", "videos", "workers", "allow-failures", "skip")
@click.option("--deep", is_flag=True, help="Decode every video to its end.")
@JSON
def doctor(deep: bool, json_file: Path | None, **options: Any) -> None:
    """Look for what is wrong with videos, annotations and settings.

    Runs nothing and changes nothing; the exit code is 1 when something is wrong.

    Example: tada-loc doctor --config hacs --videos data/hacs/videos
    """
    from pipeline.tools.doctor.examine import examine
    from pipeline.tools.doctor.findings import findings_as_json, findings_table, is_sound

    findings = examine(start(None, options), deep=deep)
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, findings_as_json(findings))
    echo(findings_table(findings))
    if not is_sound(findings):
        click.get_current_context().exit(1)


@click.command()
@configured("annotations", "videos", "device", "skip")
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes, each with a core or a GPU, the hours are for.",
)
@click.option(
    "--quick", is_flag=True, help="Time networks on frames of half the size: sooner, and rougher."
)
@JSON
def plan(processes: int, quick: bool, json_file: Path | None, **options: Any) -> None:
    """Estimate hours and bytes of every stage from a short probe.

    Reads the annotations, a few seconds of three videos, and times a few steps; writes nothing.

    Example: tada-loc plan --config ek100 --processes 16
    """
    from pipeline.tools.planning import cost_table, costs_as_json, estimate

    costs = estimate(start(None, options), quick=quick)
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, costs_as_json(costs, processes))
    echo(cost_table(costs, processes))


@click.command()
@click.option("--run-dir", type=NamedPath(), metavar="DIR", help="Default: runs/demo/BACKBONE.")
@click.option(
    "--backbone",
    type=click.Choice(BACKBONE_NAMES),
    default="tada2d",
    show_default=True,
    metavar="NAME",
    help="tsn to compare, or any other backbone.name.",
)
@SET
@KEYS
@click.option("--device", help="auto, cpu, cuda, ...")
@LOG
@click.option("--force", is_flag=True, help="Move results of other settings aside and start again.")
def demo(run_dir: Path | None, backbone: str, force: bool, **options: Any) -> None:
    """Run every stage on the embedded dataset.

    Draws the videos, prints the mAP, and draws ground truth against detections.

    Example: tada-loc demo --backbone tsn
    """
    from pipeline.demo.running import run_demo
    from pipeline.progress import say
    from pipeline.stages.evaluate import results_table
    from pipeline.tools.plots import plot_run

    run, verdict = run_demo(run_dir, backbone, overrides(None, options), force=force)
    echo(results_table(run))
    say(f"demo: picture in {plot_run(run)}")
    say_report(run)
    if verdict is not None:
        say(verdict)
