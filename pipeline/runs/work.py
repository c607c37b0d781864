"""Stages done in order, while the run folder is held."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.ranks import ranks
from pipeline.run_folder.lock import linked_folders, locked
from pipeline.runs.graph import StageRow
from pipeline.runs.run import Run


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
    with held(run.folder):
        for stage in stages:
            if stage.name in quiet and run.state(stage.name).state == "complete":
                continue
            if ranks().is_main or stage.who == "all":
                with locked(*_shared(run, stage)):
                    work_of(stage)(run)
            if ranks().size > 1:
                _wait()


def work_of(stage: StageRow) -> Callable[[Run], None]:
    """The function that does a stage's work."""
    module, _, name = stage.run.partition(":")
    function: Callable[[Run], None] = getattr(importlib.import_module(module), name)
    return function


def _shared(run: Run, stage: StageRow) -> list[Path]:
    """What a stage writes to outside of the run folder, through links; nothing where it is complete."""
    folders = linked_folders(run.path(stage.name), run.folder) if ranks().is_main else []
    complete = bool(folders) and run.state(stage.name).state == "complete"
    return [] if complete else folders


@contextlib.contextmanager
def held(*folders: Path) -> Iterator[None]:
    """The run folder and others, held by this process; of several connected ones, by the main one for all."""
    with contextlib.ExitStack() as stack:
        if ranks().size > 1:
            from pipeline.processes.distributed import process_group  # loads torch

            stack.enter_context(process_group())
        if ranks().is_main:
            stack.enter_context(locked(*folders))
        yield


def _wait() -> None:
    from pipeline.processes.distributed import barrier

    barrier()
