"""Stages done in order, while the run folder is held."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.ranks import ranks
from pipeline.run_folder.lock import locked
from pipeline.runs.graph import StageRow
from pipeline.runs.run import Run
from pipeline.runs.soundness import require_sound


def run_stages(run: Run, stages: Sequence[StageRow], *, quiet: Collection[str] = ()) -> None:
    """Run stages in order while holding the run folder; the resolved configuration is kept beside them.

    Those named in `quiet` are run without a word when they are complete.
    """
    extracts = any(stage.name == "extract" for stage in stages)
    if extracts and run.has_imported_features:
        if not run.force:
            raise UserError(
                f"{run.path('extract')}: holds imported features; go on with `tada-loc bmn`, or use --force "
                "to move them aside and extract, or another --run-dir"
            )
        run = replace(run, grid_of_imported=False)
    require_sound(run, stages)
    with held(run.folder):
        for stage in stages:
            if stage.name in quiet and run.state(stage.name).state == "complete":
                continue
            if ranks().is_main or stage.who == "all":
                work_of(stage)(run)
            if ranks().size > 1:
                _wait()


def work_of(stage: StageRow) -> Callable[[Run], None]:
    """The function that does a stage's work."""
    module, _, name = stage.run.partition(":")
    function: Callable[[Run], None] = getattr(importlib.import_module(module), name)
    return function


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """The run folder, held by this process; of several connected ones, by the main one for all."""
    with contextlib.ExitStack() as stack:
        if ranks().size > 1:
            from pipeline.processes.distributed import process_group  # loads torch

            stack.enter_context(process_group())
        if ranks().is_main:
            stack.enter_context(locked(folder))
        yield


def _wait() -> None:
    from pipeline.processes.distributed import barrier

    barrier()
