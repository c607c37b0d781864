"""The command line: each command is a few lines; what is heavy to import is imported inside."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import NamedPath, common, start
from pipeline.cli.streams import open_closed_streams
from pipeline.cli.tool_commands import demo, doctor, export_features, import_features, init, plan
from pipeline.errors import UserError, machine_error
from pipeline.processes.stopping import terminable

EPILOG = (
    "Every command takes --help. Stages resume from what is on disk: run the same command again."
)


class _Commands(click.Group):
    """Commands in the order they are used, and one line for every error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        open_closed_streams()
        try:
            with terminable():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except UserError as error:
            raise _as_click(error) from error
        except KeyboardInterrupt as error:
            stop = signal.Signals(getattr(error, "number", signal.SIGINT))
            with contextlib.suppress(OSError):  # the terminal may be what is gone
                click.echo(
                    f"Error: stopped by {stop.name}; the same command goes on from what is on disk",
                    err=True,
                )
            sys.exit(128 + stop)
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            if (said := machine_error(error)) is not None:
                raise _as_click(said) from error
            reason = " ".join(str(error).split())[:300]
            unexpected = UserError(
                f"unexpected {type(error).__name__}: {reason} (tada-loc --debug shows where)"
            )
            raise _as_click(unexpected) from error


def _as_click(error: UserError) -> click.ClickException:
    """The error as click shows it: one line and its exit code."""
    shown = click.ClickException(error.message)
    shown.exit_code = error.exit_code
    return shown


@click.group(cls=_Commands, epilog=EPILOG, context_settings={"auto_envvar_prefix": "TADA_LOC"})
@click.version_option(package_name="tada-loc", prog_name="tada-loc")
@click.option("--debug", is_flag=True, help="Show a traceback when something unexpected fails.")
def main(debug: bool) -> None:
    """Raw untrimmed videos in, localized actions and mAP out.

    \b
    finetune   trimmed segments -> classifier
    extract    videos -> sliding-window clip features (HDF5)
    bmn        features -> proposals
    classify   proposals -> detections
    eval       detections -> mAP

    Example: tada-loc run --config demo --run-dir runs/demo
    """


@main.command()
@common
@click.option("--epochs", type=int, help="finetune.epochs")
@click.option("--batch-size", type=int, help="finetune.batch_size")
@click.option("--backbone", help="backbone.name (tada2d, tsn, r3d_tada, ...)")
def finetune(force: bool, **options: Any) -> None:
    """Train the classifier on trimmed segments.

    Example: tada-loc finetune --config ek100 --videos data/ek100/videos --batch-size 16
    """
    from pipeline.stages.running import run_stages

    run_stages(*start("finetune", options), ["finetune"], force=force)


@main.command()
@common
@click.option("--fps", type=float, help="extract.fps: frames a second the videos are sampled at.")
@click.option("--stride", type=int, help="extract.stride: frames from clip to clip.")
@click.option("--short-side", type=int, help="extract.short_side, pixels")
@click.option("--batch-size", type=int, help="extract.batch_size")
@click.option("--decoder", type=click.Choice(["auto", "pyav", "decord"]), help="extract.decoder")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), help="extract.precision")
def extract(force: bool, **options: Any) -> None:
    """Turn every video into a file of clip features.

    Example: tada-loc extract --fps 60
    """
    from pipeline.stages.running import run_stages

    run_stages(*start("extract", options), ["extract"], force=force)


@main.command()
@common
@click.option("--epochs", type=int, help="bmn.epochs")
@click.option("--batch-size", type=int, help="bmn.batch_size")
def bmn(force: bool, **options: Any) -> None:
    """Train the boundary-matching network and write proposals.

    Example: tada-loc bmn --config hacs --set proposals.alpha=0.5
    """
    from pipeline.stages.running import run_stages

    run_stages(*start("bmn", options), ["bmn"], force=force)


@main.command()
@common
@click.option("--mode", type=click.Choice(["video", "proposal"]), help="classify.mode")
@click.option(
    "--source",
    type=click.Choice(["features", "video"]),
    help="classify.source: stored features, or clips decoded at each proposal.",
)
def classify(force: bool, **options: Any) -> None:
    """Give the proposals their classes.

    Example: tada-loc classify --config ek100
    """
    from pipeline.stages.running import run_stages

    run_stages(*start("classify", options), ["classify"], force=force)


@main.command("eval")
@common
@click.option("--iou", help="eval.iou: start:step:end (end included) or a comma list.")
@click.option("--json", "json_file", type=NamedPath(), help="Write the numbers here too.")
@click.option(
    "--detections",
    type=NamedPath(),
    metavar="FILE",
    help="Score this official result file (.json, .json.gz, .zip); needs no run folder.",
)
def evaluate(force: bool, json_file: Path | None, detections: Path | None, **options: Any) -> None:
    """Report mAP over tIoU thresholds.

    Classifies first if that has not been done. With --detections, scores anyone's official result file
    against --annotations and does nothing else.

    \b
    Example: tada-loc eval --iou 0.1:0.1:0.5
    Example: tada-loc eval --config ek100 --detections FILE --annotations EPIC_100_validation.csv
    """
    from pipeline.stages.running import run_stages

    config, folder = start("eval", options)
    if detections is not None:
        from pipeline.results.scoring import score_file, table
        from pipeline.run_folder.reports import write_report

        results = score_file(config, detections)
        if json_file is not None:
            write_report(json_file, results)
        click.echo(table(results, config.eval))
        return
    run_stages(config, folder, ["classify", "eval"], force=force, quiet=("classify",))
    if json_file is not None:
        from pipeline.stages.evaluate import copy_numbers

        copy_numbers(folder, json_file)


@main.command("eval-classifier")
@common
@click.option("--clips", type=int, help="views.clips: clips of a segment.")
@click.option("--crops", type=int, help="views.crops: crops of a clip.")
@click.option(
    "--with",
    "others",
    multiple=True,
    type=NamedPath(),
    metavar="RUN_DIR",
    help="Another run to average with; repeatable.",
)
def eval_classifier(force: bool, others: tuple[Path, ...], **options: Any) -> None:
    """Test the classifier alone: accuracy over clips and crops.

    \b
    Example: tada-loc eval-classifier --config k400
    Example: tada-loc eval-classifier --run-dir runs/ssv2 --with runs/ssv2_16
    """
    from pipeline.run_folder.lock import locked
    from pipeline.stages.eval_classifier import run as test

    config, folder = start("views", options)
    with locked(folder):
        test(config, folder, others, force=force)


@main.command()
@common
def run(force: bool, **options: Any) -> None:
    """Do all stages in order.

    Example: tada-loc run --config hacs --run-dir runs/hacs
    """
    from pipeline.stages.running import STAGE_MODULES, run_stages

    run_stages(*start(None, options), list(STAGE_MODULES), force=force)


@main.command()
@common
def status(force: bool, **options: Any) -> None:
    """Show what is done and why a stage would run again.

    Example: tada-loc status --run-dir runs/hacs
    """
    from pipeline.stages.running import status_table

    click.echo(status_table(*start(None, options)))


for _command in (init, import_features, export_features, doctor, plan, demo):
    main.add_command(_command)
