"""The run folder, held while stages work: by one process, or by all that work together at what is made video by video."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pipeline.ranks import ranks
from pipeline.run_folder.lock import linked_folders, locked
from pipeline.runs.graph import StageRow
from pipeline.runs.run import Run

Value = TypeVar("Value")


@contextlib.contextmanager
def connected() -> Iterator[None]:
    """The processes that torchrun started, connected; alone nothing is loaded for it."""
    if ranks().size == 1:
        yield
        return
    from pipeline.processes.distributed import process_group  # loads torch

    with process_group():
        yield


@contextlib.contextmanager
def held(*folders: Path, shared: bool = False) -> Iterator[None]:
    """The run folder and others, held by this process; of several connected ones, by the main one for all."""
    with connected(), contextlib.ExitStack() as stack:
        if ranks().is_main:
            stack.enter_context(locked(*folders, shared=shared))
        yield


def is_joint(run: Run, todo: Sequence[StageRow]) -> bool:
    """Whether any number of processes may do all of this together; they may do nothing together."""
    over_imported = run.has_imported_features and any(stage.name == "extract" for stage in todo)
    return all(stage.joint for stage in todo) and not over_imported


def linked(run: Run, stage: StageRow) -> list[Path]:
    """What a stage writes to outside of the run folder, through links; nothing where it is complete."""
    folders = linked_folders(run.path(stage.name), run.folder) if ranks().is_main else []
    complete = bool(folders) and run.state(stage.name).state == "complete"
    return [] if complete else folders


def from_main(value: Callable[[], Value]) -> Value:
    """What the main process finds, in every process."""
    if ranks().size == 1:
        return value()
    from pipeline.processes.distributed import from_main_process

    return from_main_process(value)


def wait() -> None:
    """Until every process is here."""
    from pipeline.processes.distributed import barrier

    barrier()
