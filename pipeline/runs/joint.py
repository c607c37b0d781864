"""A stage that any number of processes make together: opened by the first, finished by the one that finds all done."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.data.videos.failures import failures_at_work, listed_failures, write_failures
from pipeline.ranks import ranks
from pipeline.run_folder.joined.journals import journal_lines
from pipeline.run_folder.joined.members import WORK
from pipeline.run_folder.joined.opening import closing, joins, opening
from pipeline.run_folder.joined.sharing import Work, at_work
from pipeline.run_folder.ledger import Ledger
from pipeline.run_folder.manifests import write_manifest
from pipeline.run_folder.stage import Stage
from pipeline.run_folder.temporary import clear_temporary
from pipeline.runs.graph import row
from pipeline.runs.holding import wait
from pipeline.runs.run import Run


@contextlib.contextmanager
def joined(
    run: Run, name: str, adopt: Callable[[Stage], None] = lambda stage: None
) -> Iterator[tuple[Stage, Work]]:
    """Work at a stage together with other processes; `adopt` is called where this process opens it.

    A process that joins others at work continues from what they have made. If there are none, what killed processes
    recorded is taken over. Of processes connected by torchrun the main one opens it for all. Raises UserError if others
    work by other settings or inputs.
    """
    folder, many = run.path(name), ranks().size > 1 and row(name).who == "all"
    if many:
        wait()  # the stage before is finished when the main process comes here
    with contextlib.ExitStack() as stack:
        if ranks().is_main or not many:
            work = stack.enter_context(at_work(folder))
            stage = _opened(run, name, work, adopt)
        if many:
            wait()
        if many and not ranks().is_main:
            work = stack.enter_context(at_work(folder))
            stage = run.stage(name).follow()
            work.member.sign(by=stage.fingerprint, shard=str(run.shard or ""))
        if many:
            wait()  # none works before all are known
        work.look()
        yield stage, work


@contextlib.contextmanager
def finishing(stage: Stage, work: Work) -> Iterator[Stage | None]:
    """The stage to be finished, by one process; None if another has done it.

    What all have recorded is in the stage's own files by then; the seconds are those of all.
    """
    with closing(work, partial(take_over, stage.folder, stage.name)) as last:
        if not last:
            yield None
            return
        clear_temporary(stage.folder)  # what those that were killed meanwhile left half written
        others = sum(spent for member, spent in work.seconds.items() if member != work.member.id)
        yield replace(stage, spent=stage.spent + others)


def is_finished(stage: Stage) -> bool:
    """Whether another process has finished the stage as it is wanted now."""
    manifest = stage.readable()
    return manifest is not None and manifest.complete and not stage.differences(manifest)


def _opened(run: Run, name: str, work: Work, adopt: Callable[[Stage], None]) -> Stage:
    """The stage, opened by this process or before by those at work."""
    with opening(work):
        wanted = run.stage(name)
        if joins(work, name, wanted.fingerprint):
            stage = replace(wanted.follow(), writes=ranks().is_main)
        else:
            take_over(work.folder, wanted.name)
            work.look()
            _count_seconds(wanted, sum(work.seconds.values()))
            work.clear()
            stage = run.open_alone(name, {})
            if stage.displaced is not None:
                shutil.rmtree(stage.displaced / WORK, ignore_errors=True)
                work.member.come()
            adopt(stage)
        work.member.sign(by=wanted.fingerprint, shard=str(run.shard or ""))
        return stage


def take_over(folder: Path, name: str) -> None:
    """Put what processes at work in a folder recorded into files of its own; `name` is the stage's, or command's."""
    lines = list(journal_lines(folder))
    if not lines:
        return
    Ledger(folder).write()
    failed = failures_at_work(lines)
    if failed:
        write_failures(folder, name, listed_failures(folder) | failed)


def _count_seconds(stage: Stage, seconds: float) -> None:
    """Count what processes worked that did not come to finish the stage."""
    manifest = stage.readable()
    if manifest is not None and seconds:
        counted = manifest.model_copy(update={"seconds": manifest.seconds + seconds})
        write_manifest(stage.folder, counted)
