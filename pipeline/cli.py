"""The command line: each command is a few lines; what is heavy to import is imported inside."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline.errors import UserError

EPILOG = "Every command takes --help. Stages resume from what is on disk: run the same command again."


class _Commands(click.Group):
    """Commands in the order they are used, and one line for every error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("Error: stopped; the same command goes on from what is on disk", err=True)
            sys.exit(130)
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            reason = " ".join(str(error).split())[:300]
            raise UserError(
                f"unexpected {type(error).__name__}: {reason} (tada-loc --debug shows where)"
            ) from error


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


def common(command: Callable[..., None]) -> Callable[..., None]:
    """The options every stage takes."""
    options = [
        click.option("--config", metavar="FILE", help="A YAML file, or hacs, ek100, demo."),
        click.option(
            "--run-dir", type=click.Path(path_type=Path), metavar="DIR", help="Default: runs/CONFIG."
        ),
        click.option(
            "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any config key; repeatable."
        ),
        click.option("--annotations", metavar="FILE", help="dataset.annotations"),
        click.option("--videos", metavar="DIR", help="dataset.videos"),
        click.option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, ..."),
        click.option("--workers", type=click.IntRange(0), help="Processes that read videos."),
        click.option("--allow-failures", type=click.IntRange(0), metavar="N", help="Go on without N videos."),
        click.option("--force", is_flag=True, help="Move results of other settings aside and start again."),
        click.option("-v", "--verbose", is_flag=True, help="Say the settings in use."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


# Option of a command -> the configuration key it is shorthand for.
_KEYS = {
    "annotations": "dataset.annotations",
    "videos": "dataset.videos",
    "device": "runtime.device",
    "workers": "runtime.workers",
    "allow_failures": "runtime.allow_failures",
    "backbone": "backbone.name",
}


def _start(section: str | None, options: dict[str, Any]) -> tuple[Any, Path]:
    """The validated configuration and the run folder of a command's options."""
    from pipeline.runs import open_run

    common_options = {key: options.pop(key) for key in ("config", "run_dir", "assignments", "verbose")}
    options.pop("force", None)
    overrides = {
        _KEYS.get(key, f"{section}.{key}"): value
        for key, value in options.items()
        if value is not None
    }
    return open_run(overrides=overrides, **common_options)


@main.command()
@common
@click.option("--epochs", type=int, help="finetune.epochs")
@click.option("--batch-size", type=int, help="finetune.batch_size")
@click.option("--backbone", help="backbone.name (tada2d, tsn)")
def finetune(force: bool, **options: Any) -> None:
    """Train the classifier on trimmed segments.

    Example: tada-loc finetune --config ek100 --videos data/ek100/videos --batch-size 16
    """
    from pipeline.runs import run_stages

    run_stages(*_start("finetune", options), ["finetune"], force=force)


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
    from pipeline.runs import run_stages

    run_stages(*_start("extract", options), ["extract"], force=force)


@main.command("import-features")
@common
@click.option(
    "--from", "source", required=True, type=click.Path(path_type=Path), metavar="FOLDER",
    help="Holds VIDEO.npy, VIDEO.npz or VIDEO.pt, float [features, channels].",
)
@click.option("--fps", type=float, required=True, help="Frames a second the features were made at.")
@click.option("--stride", type=int, required=True, help="Frames from feature to feature, at that rate.")
@click.option("--frames", type=int, default=8, show_default=True, help="Frames a clip had.")
@click.option("--interval", type=int, default=8, show_default=True, help="Frames from one to the next in a clip.")
@click.option("--short-side", type=int, help="Short side of the frames in pixels, where it is known.")
@click.option(
    "--layout", type=click.Choice(["nc", "cn"]), default="nc", show_default=True,
    help="nc: [features, channels]; cn: [channels, features].",
)
def import_features(force: bool, source: Path, layout: str, **options: Any) -> None:
    """Take features made elsewhere in place of extract's.

    Feature i stands for the seconds [i, i + 1) * stride / fps.

    Example: tada-loc import-features --config hacs --from features --fps 30 --stride 16
    """
    from pipeline.feature_exchange import import_features as take

    short_side = options["short_side"]
    config, folder = _start("extract", options)
    take(config, folder, source, layout=layout, short_side=short_side, force=force)


@main.command("export-features")
@common
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), metavar="FOLDER",
    help="Where VIDEO.npy and grid.json go.",
)
def export_features(force: bool, target: Path, **options: Any) -> None:
    """Write the run's features as .npy, for OpenTAD and ActionFormer.

    grid.json beside them says the time of each feature.

    Example: tada-loc export-features --run-dir runs/hacs --to features
    """
    from pipeline.feature_exchange import export_features as write

    write(*_start(None, options), target)


@main.command()
@common
@click.option("--epochs", type=int, help="bmn.epochs")
@click.option("--batch-size", type=int, help="bmn.batch_size")
def bmn(force: bool, **options: Any) -> None:
    """Train the boundary-matching network and write proposals.

    Example: tada-loc bmn --config hacs --set proposals.alpha=0.5
    """
    from pipeline.runs import run_stages

    run_stages(*_start("bmn", options), ["bmn"], force=force)


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
    from pipeline.runs import run_stages

    run_stages(*_start("classify", options), ["classify"], force=force)


@main.command("eval")
@common
@click.option("--iou", help="eval.iou: start:step:end (end included) or a comma list.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the numbers here too.")
@click.option(
    "--detections", type=click.Path(path_type=Path), metavar="FILE",
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
    from pipeline.runs import run_stages

    config, folder = _start("eval", options)
    if detections is not None:
        from pipeline.artifacts import write_json
        from pipeline.scoring import score_file, table

        results = score_file(config, detections)
        if json_file is not None:
            write_json(json_file, results)
        click.echo(table(results, config.eval))
        return
    run_stages(config, folder, ["classify", "eval"], force=force, quiet=("classify",))
    if json_file is not None:
        from pipeline.stages.evaluate import copy_numbers

        copy_numbers(folder, json_file)


@main.command()
@common
def run(force: bool, **options: Any) -> None:
    """Do all stages in order.

    Example: tada-loc run --config hacs --run-dir runs/hacs
    """
    from pipeline.runs import STAGE_MODULES, run_stages

    run_stages(*_start(None, options), list(STAGE_MODULES), force=force)


@main.command()
@common
def status(force: bool, **options: Any) -> None:
    """Show what is done and why a stage would run again.

    Example: tada-loc status --run-dir runs/hacs
    """
    from pipeline.runs import status_table

    click.echo(status_table(*_start(None, options)))


@main.command()
@common
@click.option("--deep", is_flag=True, help="Decode every video to its end.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report here too.")
def doctor(force: bool, deep: bool, json_file: Path | None, **options: Any) -> None:
    """Look for what is wrong with videos, annotations and settings.

    Runs nothing and changes nothing; the exit code is 1 when something is wrong.

    Example: tada-loc doctor --config hacs --videos data/hacs/videos
    """
    from pipeline.doctor import examine
    from pipeline.findings import as_json, is_sound, report

    findings = examine(*_start(None, options), deep=deep)
    if json_file is not None:
        from pipeline.artifacts import write_json

        write_json(json_file, as_json(findings))
    click.echo(report(findings))
    if not is_sound(findings):
        click.get_current_context().exit(1)


@main.command()
@click.option("--run-dir", type=click.Path(path_type=Path), metavar="DIR", help="Default: runs/demo-BACKBONE.")
@click.option(
    "--backbone", type=click.Choice(["tada2d", "tsn"]), default="tada2d", show_default=True, help="tsn to compare."
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any config key; repeatable.")
@click.option("--device", help="auto, cpu, cuda, ...")
@click.option("--force", is_flag=True, help="Move results of other settings aside and start again.")
def demo(run_dir: Path | None, backbone: str, assignments: tuple[str, ...], device: str | None, force: bool) -> None:
    """Run every stage on the embedded dataset.

    Draws the videos, prints the mAP, and draws ground truth against detections.

    Example: tada-loc demo --backbone tsn
    """
    from pipeline.runs import run_demo

    run_demo(run_dir, backbone, assignments, device, force=force)
