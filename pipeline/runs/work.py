"""Stages done in order, while the run folder is held; what they read is brought up to date before."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from pipeline.configuration.reading import RUN_CONFIG, load_config
from pipeline.data.features.imported import require_imported
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.ranks import ranks
from pipeline.run_folder.files import clear_temporary, write_text
from pipeline.run_folder.lock import locked
from pipeline.run_folder.stage import Stage
from pipeline.runs.graph import StageRow, maker, row
from pipeline.runs.holding import connected, from_main, held, is_joint, linked, wait
from pipeline.runs.inputs.contents import names_classes, no_classes
from pipeline.runs.run import Run
from pipeline.runs.soundness.ahead import require_sound
from pipeline.runs.soundness.lengths import require_lengths
from pipeline.runs.ways import in_order, needed_by, of_head, reads_of
from pipeline.training.logs.opening import forget_log


def run_stages(run: Run, stages: Sequence[StageRow], *, quiet: Collection[str] = ()) -> None:
    """Run stages in order while holding the run folder; the resolved configuration is kept beside them.

    Stages that they read are made again where they are not current, trainings excepted. Those named in `quiet`
    are run without a word when they are complete. A run whose stages are all complete is only read, since its folder
    may belong to anyone, unless they are another head's than the run had.
    """
    extracts = any(stage.name == "extract" for stage in stages)
    if extracts and run.has_imported_features:
        run = _over_imported(run)
    if run.ways.head_on_features:
        require_imported(imported=run.ways.imported)
    before = needed_by(stages, run.ways)
    own = [stage for stage in stages if stage.name not in quiet]
    if any(stage.name == "classify" for stage in (*before, *stages)) and not names_classes(
        run.folder, run.ways
    ):
        raise no_classes(run.folder, run.ways)
    look = partial(_todo, run, before, stages, own)
    todo = look() if ranks().size == 1 and (run.folder / RUN_CONFIG).is_file() else None
    if todo == []:
        require_lengths(run, [stage.name for stage in (*before, *stages)], look=False)
        _nothing_to_do(run, own)
        return
    require_sound(run, stages)
    _require_trainings(run, before, stages)
    with connected():
        shared = from_main(lambda: is_joint(run, look() if todo is None else todo))
        with held(run.folder, shared=shared):
            if not shared or from_main(lambda: is_joint(run, look())):
                _do(run, before, stages, own, quiet, shared=shared)
                return
        with held(run.folder):  # what another has done since is not for several to do
            _do(run, before, stages, own, quiet, shared=False)


def _do(
    run: Run,
    before: Sequence[StageRow],
    stages: Sequence[StageRow],
    own: Sequence[StageRow],
    quiet: Collection[str],
    *,
    shared: bool,
) -> None:
    """Do them in the held run folder."""
    if ranks().is_main:
        run.sightings.keep(run.folder)
        for line in run.sightings.lines():
            say(line)
    _bring_up_to_date(run, before, stages, own, shared=shared)
    for stage in stages:
        if stage.name in quiet and from_main(partial(run.is_complete, stage.name)):
            continue
        _work(run, stage, shared=shared)


def whole_run(run: Run) -> tuple[StageRow, ...]:
    """The stages that `tada-loc run` does, in order: of imported features those after them.

    Without what names classes, where nothing does.
    """
    stages = in_order(run.ways)
    if not run.ways.imported:
        return stages
    if not names_classes(run.folder, run.ways):
        return of_head(run.ways)
    return tuple(stage for stage in stages if stage.name != "extract")


def work_ahead(run: Run) -> list[StageRow]:
    """The stages of `tada-loc run` that have work to do, in order; nothing is done or written.

    Raises UserError for what one of them would refuse, and for a training that would be thrown away.
    """
    stages = whole_run(run)
    before = needed_by(stages, run.ways)
    todo = _todo(run, before, stages, stages)
    if todo:
        require_sound(run, stages)
        _require_trainings(run, before, stages)
    return [stage for stage in todo if stage in stages]


def put_back(run: Run, stage: Stage) -> None:
    """Where a stage failed for good: the training before, and its settings, are in their place again."""
    if stage.writes and stage.displaced is not None and stage.loses() is None:
        forget_log(stage.folder)  # it produced nothing
    stage.put_back()
    if stage.writes and stage.former_config is not None:
        write_text(run.folder / RUN_CONFIG, stage.former_config)


def _nothing_to_do(run: Run, own: Sequence[StageRow]) -> None:
    _keep_head(run)
    for stage in own:
        if stage.name != "eval":  # whose figures are shown
            say(f"{stage.name}: complete, nothing to do")


def _keep_head(run: Run) -> None:
    """Where the folder's `config.yaml` names another head it is written again, if the folder may be written."""
    path, head = run.folder / RUN_CONFIG, run.given.detector.name
    try:
        kept = load_config(path, quiet=True).detector.name
    except UserError:  # it is of no use, and stays until something is made
        return
    if kept != head and os.access(run.folder, os.W_OK):
        with held(run.folder):
            run.keep_config()
        say(f"{path}: detector.name is {head} from here on")


def _over_imported(run: Run) -> Run:
    """The run as it extracts in place of imported features. Raises UserError without `force`."""
    if not run.force:
        raise UserError(
            f"{run.path('extract')}: holds imported features; continue with `tada-loc {row(run.ways.training).command}`, or use --force "
            "to move them aside and extract, or another --run-dir"
        )
    return replace(run, grid_of_imported=False)


def work_of(stage: StageRow) -> Callable[[Run], None]:
    """The function that does a stage's work."""
    module, _, name = stage.run.partition(":")
    function: Callable[[Run], None] = getattr(importlib.import_module(module), name)
    return function


def _work(run: Run, stage: StageRow, *, shared: bool = False) -> None:
    if ranks().is_main or stage.who == "all":
        with locked(*linked(run, stage), shared=shared):
            if ranks().is_main:
                clear_temporary(run.path(stage.name))  # also where there is nothing to do
            work_of(stage)(run)
    if ranks().size > 1:
        wait()


def _bring_up_to_date(
    run: Run,
    before: Sequence[StageRow],
    stages: Sequence[StageRow],
    own: Sequence[StageRow],
    *,
    shared: bool,
) -> None:
    """Make stages that others read again, where they are not current and what reads them needs them.

    Raises UserError if one has not been done, was broken off, is a training of other inputs, or
    features that came from elsewhere.
    """
    done: list[StageRow] = []
    for _ in before:
        todo = from_main(lambda: _todo(run, before, stages, own))
        first = next((stage for stage in todo if stage in before and stage not in done), None)
        if first is None:
            return
        state = from_main(partial(run.state, first.name))
        if first.name == "extract" and run.has_imported_features:
            raise UserError(
                f"{run.path('extract')}: imported {state.why}; run `tada-loc import-features`"
            )
        if state.state in {"missing", "partial"}:
            how = "has not been done" if state.state == "missing" else "is not complete"
            raise UserError(
                f"{run.folder}: stage {first.folder} {how}; run `tada-loc {first.command}` before "
                f"`tada-loc {own[0].command}`, or `tada-loc run` for all"
            )
        _work(run, first, shared=shared)
        done.append(first)


def _require_trainings(run: Run, before: Sequence[StageRow], stages: Sequence[StageRow]) -> None:
    """Refuse before any work what would throw away a training. Raises UserError."""
    facts = run.facts(ahead=True)
    for stage in (*before, *stages):
        if stage.valuable:
            facts.stage(stage.name).require_free(force=run.force and stage in stages)


def _todo(
    run: Run, before: Sequence[StageRow], stages: Sequence[StageRow], own: Sequence[StageRow]
) -> list[StageRow]:
    """Which of the stages have work to do, in order: of those before, what the others then read.

    Only a command's `own` stages try videos again that failed.
    """
    facts = run.facts(ahead=True)
    wanted, todo = {stage.name for stage in stages}, []
    for stage in reversed(in_order(run.ways)):
        if stage not in (*before, *stages):
            continue
        state = run.state(stage.name, facts)
        lost = stage.valuable and facts.stage(stage.name).is_changed()
        tried_again = stage in own and state.videos.get("left_out")
        if not lost and (
            stage.name not in wanted
            or (state.state == "complete" and not state.former and not tried_again)
        ):
            continue
        todo.append(stage)
        wanted |= {maker(source).name for source in reads_of(stage, run.ways)}
    return todo[::-1]
