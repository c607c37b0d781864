"""Run the stages of a command, and print the figures they end in."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.cli.options import echo, start

if TYPE_CHECKING:
    from pipeline.runs.graph import StageRow
    from pipeline.runs.run import Run


def do(command: str | None, options: dict[str, Any], *, quiet: Collection[str] = ()) -> Run:
    """Run the stages of a command, or all without one, and print the figures they end in.

    Those named in `quiet` are done before, unless they are complete.
    """
    from pipeline.ranks import ranks
    from pipeline.runs.inputs.contents import names_classes
    from pipeline.runs.work import run_stages, whole_run

    shares, text = "shard" in options, options.pop("shard", None)
    run = start(command, options, force=options.pop("force"), verify=options.pop("verify"))
    stages = whole_run(run) if command is None else _stages(run, command, quiet)
    if shares:
        run = _sharing(run, stages, text)
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


def _sharing(run: Run, stages: Sequence[StageRow], text: str | None) -> Run:
    """The run with the share of this process, reported. Raises UsageError for a training that is still to be done.

    Processes connected by torchrun share their work without it.
    """
    from pipeline.errors import UsageError
    from pipeline.progress import say
    from pipeline.ranks import ranks
    from pipeline.shards import shard_of

    shard = shard_of(text, os.environ)
    if shard is None or (text is None and ranks().size > 1):
        return run
    for stage in stages:
        if stage.valuable and run.state(stage.name).state != "complete":
            if text is None:  # a training in a job array belongs to this task alone
                return run
            raise UsageError(
                f"--shard {text}: a training cannot be sharded, and {stage.folder} is not trained yet; run "
                f"`tada-loc {stage.command}` without --shard first, or with --shard none"
            )
    say(f"{stages[-1].command}: {shard.said}")
    return replace(run, shard=shard)


def _stages(run: Run, command: str, quiet: Collection[str]) -> Sequence[StageRow]:
    """The stages of a command, and those `quiet` ones that are stages of the run; `detect` does its head's.

    Raises UsageError for a stage of another head than the run's.
    """
    from pipeline.runs.graph import of_commands
    from pipeline.runs.ways import of_head, of_other_heads

    if command == "detect":
        return of_head(run.ways)
    others = of_other_heads(run.ways)
    stages = of_commands(command, *quiet)
    if any(stage.command == command and stage.name in others for stage in stages):
        raise _no_such_stage(run, command)
    return [stage for stage in stages if stage.name not in others]


def _no_such_stage(run: Run, command: str) -> Exception:
    from pipeline.errors import UsageError

    head = run.config.detector.name
    if command == "bmn":
        return UsageError(
            f"detector.name = {head!r}: this run's head is not bmn; run `tada-loc detect`, or set "
            "--set detector.name=bmn"
        )
    return UsageError(
        "actionformer.classes = 'own': the head predicts the classes, so there is nothing to classify; run "
        "`tada-loc eval`, or give --set actionformer.classes=none"
    )


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


def check_features(options: dict[str, Any]) -> None:
    """Complete the stage of features where all are made. Raises UserError saying how many are not, and who is at work."""
    from pipeline.stages.extracted import check

    options.pop("shard")
    check(start("extract", options, force=options.pop("force"), verify=options.pop("verify")))
