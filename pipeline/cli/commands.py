"""The stages on the command line: a few lines each; what is heavy to import is imported inside."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.feature_commands import export_features, import_features
from pipeline.cli.file_commands import convert, print_scores, score
from pipeline.cli.group import Commands
from pipeline.cli.model_commands import export, info
from pipeline.cli.options import ALL, AT, JSON, LOG, WHY, NamedPath, configured, echo, start
from pipeline.cli.predict_command import predict
from pipeline.cli.results.compare_command import compare
from pipeline.cli.results.explain_command import explain
from pipeline.cli.results.report_command import report, say_report
from pipeline.cli.results.sweep_command import sweep
from pipeline.cli.tool_commands import demo, doctor, init, plan, status, verify

if TYPE_CHECKING:
    from pipeline.runs.graph import StageRow
    from pipeline.runs.run import Run

EPILOG = (
    "Every command takes --help. Stages resume from what is on disk: run the same command again."
)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"auto_envvar_prefix": "TADA_LOC"})
@click.version_option(package_name="tada-loc", prog_name="tada-loc")
@click.option("--debug", is_flag=True, help="Show a traceback when something unexpected fails.")
def main(debug: bool) -> None:
    """Raw untrimmed videos in, localized actions and mAP out.

    \b
    finetune   trimmed segments -> classifier
    extract    videos -> sliding-window clip features (HDF5)
    bmn        features -> proposals
    detect     the same by the head of detector.name: bmn, or actionformer, which names classes too
    classify   proposals -> detections
    eval       detections -> mAP

    Example: tada-loc run --config demo --run-dir runs/demo
    """


def _do(command: str | None, options: dict[str, Any], *, quiet: Collection[str] = ()) -> Run:
    """Do the stages of a command, all of them without one; where they end in figures, print these.

    Those named in `quiet` are done before, unless they are complete.
    """
    from pipeline.ranks import ranks
    from pipeline.runs.inputs.contents import names_classes
    from pipeline.runs.work import run_stages, whole_run

    run = start(command, options, force=options.pop("force"), verify=options.pop("verify"))
    stages = whole_run(run) if command is None else _stages(run, command, quiet)
    if command in {None, "finetune", "extract", "bmn", "detect"} or names_classes(
        run.folder, run.ways
    ):
        run_stages(run, stages, quiet=quiet)
    if not ranks().is_main:
        return run
    if command != "extract" and not names_classes(run.folder, run.ways):
        _end_without_classes(run, command)
    elif command is None or command == "eval":
        from pipeline.stages.evaluate import results_table

        echo(results_table(run))
    return run


def _stages(run: Run, command: str, quiet: Collection[str]) -> Sequence[StageRow]:
    """The stages of a command, and those `quiet` ones that are stages of the run; `detect` does its head's.

    Raises UsageError for a stage of another head than the run's.
    """
    from pipeline.runs.graph import of_commands
    from pipeline.runs.ways import in_order, of_head

    if command == "detect":
        return of_head(run.ways)
    here = in_order(run.ways)
    stages = of_commands(command, *quiet)
    if not any(stage.command == command and stage in here for stage in stages):
        raise _no_such_stage(run, command)
    return [stage for stage in stages if stage in here]


def _no_such_stage(run: Run, command: str) -> Exception:
    from pipeline.errors import UsageError

    head = run.config.detector.name
    if command == "bmn":
        return UsageError(
            f"detector.name = {head!r}: this run's head is not bmn; run `tada-loc detect`, or give "
            "--set detector.name=bmn"
        )
    if command == "classify":
        return UsageError(
            "actionformer.classes = 'own': the head names the classes, and there is nothing to classify; run "
            "`tada-loc eval`, or give --set actionformer.classes=none"
        )
    return UsageError(f"{command}: is no stage of this run, whose features were imported")


def _end_without_classes(run: Run, command: str | None) -> None:
    """Print the average recall of the proposals; say what is missing (`bmn`), or raise it (what needs it)."""
    from pipeline.progress import say
    from pipeline.runs.inputs.contents import no_classes
    from pipeline.stages.evaluate import recall_of_proposals

    line = recall_of_proposals(run) if command != "classify" else None
    if line is not None:
        echo(line)
    if command not in {"bmn", "detect"}:
        raise no_classes(run.folder, run.ways)
    say(no_classes(run.folder, run.ways).message)


@main.command()
@configured(*ALL)
@click.option("--epochs", type=int, help="finetune.epochs")
@click.option("--batch-size", type=int, help="finetune.batch_size")
@click.option("--backbone", help="backbone.name (tada2d, tsn, r3d_tada, ...)")
@LOG
def finetune(**options: Any) -> None:
    """Train the classifier on trimmed segments.

    Example: tada-loc finetune --config ek100 --videos data/ek100/videos --batch-size 16
    """
    _do("finetune", options)


@main.command()
@configured(*ALL)
@click.option("--fps", type=float, help="extract.fps: frames a second the videos are sampled at.")
@click.option("--stride", type=int, help="extract.stride: frames from clip to clip.")
@click.option("--short-side", type=int, help="extract.short_side, pixels")
@click.option("--batch-size", type=int, help="extract.batch_size")
@click.option("--decoder", type=click.Choice(["auto", "pyav", "decord"]), help="extract.decoder")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), help="extract.precision")
def extract(**options: Any) -> None:
    """Turn every video into a file of clip features.

    Example: tada-loc extract --fps 60
    """
    _do("extract", options)


@main.command()
@configured(*ALL)
@click.option("--epochs", type=int, help="bmn.epochs")
@click.option("--batch-size", type=int, help="bmn.batch_size")
@LOG
def bmn(**options: Any) -> None:
    """Train the boundary-matching network and write proposals.

    Example: tada-loc bmn --config hacs proposals.alpha=0.5
    """
    _do("bmn", options)


@main.command()
@configured(*ALL)
@click.option(
    "--detector", type=click.Choice(["bmn", "actionformer"]), help="detector.name: which head."
)
@LOG
def detect(**options: Any) -> None:
    """Train the head of `detector.name`, and write what it finds.

    bmn: proposals, as `tada-loc bmn` does. actionformer: detections, or proposals with actionformer.classes=none.

    Example: tada-loc detect --config hacs --detector actionformer
    """
    _do("detect", options)


@main.command()
@configured(*ALL)
@click.option("--mode", type=click.Choice(["video", "proposal"]), help="classify.mode")
@click.option(
    "--source",
    type=click.Choice(["features", "video"]),
    help="classify.source: stored features, or clips decoded at each proposal.",
)
def classify(**options: Any) -> None:
    """Give the proposals their classes.

    Example: tada-loc classify --config ek100
    """
    _do("classify", options)


@main.command("eval")
@configured(*ALL)
@click.option("--iou", help="eval.iou: start:step:end (end included) or a comma list.")
@WHY
@AT
@JSON
@click.option(
    "--detections", type=NamedPath(), hidden=True, help="What `tada-loc score FILE` does today."
)
def evaluate(
    json_file: Path | None, detections: Path | None, why: bool, at: float, **options: Any
) -> None:
    """Report mAP over tIoU thresholds, and why it is no higher.

    Classifies first if that has not been done. A result file of anyone's is scored by `tada-loc score`.

    \b
    Example: tada-loc eval --iou 0.1:0.1:0.5
    Example: tada-loc eval --run-dir runs/own --why
    """
    if detections is not None:
        options.pop("force"), options.pop("verify")
        print_scores(detections, json_file, options, at=at if why else None)
        return
    run = _do("eval", options, quiet=("classify",))
    if why:
        from pipeline.tools.why.analysis import why as explained
        from pipeline.tools.why.tables import why_table

        echo("\n" + why_table(explained(run, at)))
    if json_file is not None:
        from pipeline.run_folder.files import write_report
        from pipeline.stages.evaluate import numbers

        write_report(json_file, numbers(run) | ({"why": explained(run, at)} if why else {}))
    say_report(run)


@main.command("eval-classifier")
@configured(*ALL)
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
def eval_classifier(others: tuple[Path, ...], force: bool, verify: bool, **options: Any) -> None:
    """Test the classifier alone: accuracy over clips and crops.

    \b
    Example: tada-loc eval-classifier --config k400
    Example: tada-loc eval-classifier --run-dir runs/ssv2 --with runs/ssv2_16
    """
    from pipeline.run_folder.lock import linked_folders, locked
    from pipeline.runs.run import run_of
    from pipeline.stages.eval_classifier import accuracy_table
    from pipeline.stages.eval_classifier import run as test

    run = start("views", options, force=force, verify=verify)
    with locked(run.folder, *linked_folders(run.path("eval-classifier"), run.folder)):
        test(run, [run_of(other) for other in others])
    echo(accuracy_table(run))


@main.command()
@configured(*ALL)
@LOG
def run(**options: Any) -> None:
    """Do all stages in order.

    Example: tada-loc run --config hacs --run-dir runs/hacs
    """
    say_report(_do(None, options))


for _command in (
    predict,
    report,
    compare,
    explain,
    export,
    info,
    sweep,
    status,
    verify,
    score,
    init,
    convert,
    import_features,
    export_features,
    doctor,
    plan,
    demo,
):
    main.add_command(_command)
