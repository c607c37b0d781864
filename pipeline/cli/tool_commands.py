"""The commands around a run: its state, mistakes in its data, its cost, the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import JSON, KEYS, LOG, SET, configured, echo, overrides, start
from pipeline.cli.paths import NamedPath
from pipeline.cli.results.report_command import say_report

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
@JSON
@configured("annotations", "videos", "skip", "verify")
def status(json_file: Path | None, verify: bool, **options: Any) -> None:
    """Show which stages are done, and why others would run again.

    Shows how long each stage took, and which videos are missing or out of date. Changes nothing.

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
@JSON
@configured("annotations", "videos", "skip")
def verify(json_file: Path | None, **options: Any) -> None:
    """Check every byte of a run against its checksums.

    Changes nothing. The exit code is 1 if a file is not as it was written.

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
@click.option("--deep", is_flag=True, help="Decode every video to its end.")
@JSON
@configured("annotations", "videos", "workers", "allow-failures", "skip")
def doctor(deep: bool, json_file: Path | None, **options: Any) -> None:
    """Check videos, annotations and settings for mistakes.

    Runs no stage and changes nothing. The exit code is 1 if something is wrong.

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
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="The number of processes that will work, each with a core or a GPU of its own.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Time the networks on frames of half the size: faster, and less accurate.",
)
@JSON
@configured("annotations", "videos", "device", "skip")
def plan(processes: int, quick: bool, json_file: Path | None, **options: Any) -> None:
    """Estimate the hours and the disk space of every stage.

    Reads the annotations and a few seconds of three videos, and times a few training steps. Writes nothing.

    Example: tada-loc plan --config ek100 --processes 16
    """
    from pipeline.tools.planning import cost_table, costs_as_json, estimate

    costs = estimate(start(None, options), quick=quick)
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, costs_as_json(costs, processes))
    echo(cost_table(costs, processes))


@click.command()
@click.option(
    "--run-dir",
    type=NamedPath(),
    metavar="DIR",
    help="The run folder. Default: runs/demo/BACKBONE.",
)
@click.option(
    "--backbone",
    type=click.Choice(BACKBONE_NAMES),
    default="tada2d",
    show_default=True,
    metavar="NAME",
    help="The network (backbone.name); tsn is the same without TAdaConv.",
)
@SET
@KEYS
@click.option(
    "--device",
    metavar="NAME",
    help="Where the networks run: auto, cpu, cuda, cuda:1, ... (runtime.device).",
)
@LOG
@click.option(
    "--force",
    is_flag=True,
    help="Start again if the settings have changed; the former results are moved aside.",
)
def demo(run_dir: Path | None, backbone: str, force: bool, **options: Any) -> None:
    """Run every stage on the embedded dataset.

    Draws the videos, trains on them, prints the mAP, and draws ground truth and detections as a picture.

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
