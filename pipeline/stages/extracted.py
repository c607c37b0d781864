"""The end of extraction: what all processes have made and what failed, and the manifest that says that all is done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pipeline.data.videos.damage import DAMAGED, damaged_videos
from pipeline.data.videos.failures import read_failures
from pipeline.data.videos.finding import Source
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.run_folder.identity import named
from pipeline.run_folder.joined.seen import workers_in
from pipeline.run_folder.joined.sharing import Work
from pipeline.run_folder.ledger import Ledger, made_of
from pipeline.run_folder.stage import Stage
from pipeline.runs.holding import held
from pipeline.runs.joint import finishing, joined
from pipeline.runs.run import Run
from pipeline.runs.states import feature_faults
from pipeline.stages.shares import Shares, failed_elsewhere

CLIPS = "clips"  # a note: how many the features have


def check(run: Run) -> None:
    """Finish the stage where all videos are made or have failed; makes nothing.

    Raises UserError saying how many are missing, how many failed and who is at work, and where too much has failed.
    """
    faults, failures = feature_faults(run.facts()), read_failures(run.path("extract"))
    ids = [video for video in run.videos if video not in run.skipped]
    _require_all(run, faults, failures, len(ids))
    with held(run.folder, shared=True), joined(run, "extract") as (stage, work):
        left_out = run.left_out("extract")
        left_out.without_skipped(run.videos)
        if stage.complete and not faults:
            say(f"extract: complete ({len(ids)} videos)")
        elif not finish(run, stage, work, ToMake(ids, faults, {}, Shares((), ()), ()), left_out):
            say("extract: complete; another process finished it")


def _require_all(run: Run, faults: Collection[str], failures: Collection[str], total: int) -> None:
    """Raises UserError if videos are missing, or where failed ones may be tried again just now."""
    missing = [video for video in faults if video not in failures]
    known = [video for video in faults if video in failures]
    workers = workers_in(run.path("extract"))
    busy = any(not worker.gone for worker in workers)
    if not missing and not (known and busy):
        return
    lost = f"{len(missing)} of {total} videos are missing ({named(missing)})" if missing else ""
    failed = f"{len(known)} failed ({named(known)})" if known else ""
    at_work = "; ".join(worker.told for worker in workers) or "no process is at work"
    how = "run `tada-loc extract`" if missing else "wait for the processes that may try them again"
    raise UserError(f"extract: {', '.join(filter(None, (lost, failed)))}; {at_work}; {how}")


@dataclass(frozen=True)
class ToMake:
    """The videos a stage is to have, why some are made, where these are, the shares of all, and this process's of these."""

    ids: Sequence[str]
    faults: Mapping[str, str]
    paths: Mapping[str, Source]
    shares: Shares
    share: Sequence[str]


def finish(run: Run, stage: Stage, work: Work, making: ToMake, left_out: LeftOut) -> bool:
    """Finish the stage where all is done; False where another has."""
    work.look()
    known = failed_elsewhere(stage.folder, making.faults, making.shares, run.shard, work)
    # Where they are too many, and this process has tried none: the process that tries them again reports it.
    waits = not making.share and len(known) > left_out.allowed
    coming = [v for v in making.paths if not work.is_done(v) and (waits or v not in known)]
    if coming:
        say(
            f"extract: shard {run.shard} is done; {len(coming)} videos of other shards are not done yet"
        )
        return True
    with finishing(stage, work) as last:
        if last is None:
            return False
        left_out.take({video: str(line["reason"]) for video, line in work.failed.items()})
        left_out.known(known)
        left_out.settle()
        failed = [video for video in making.faults if video in left_out.reasons]
        _remove_former(run, Ledger(stage.folder), failed)
        _complete(last, left_out, len(making.ids), _clips(work))
    return True


def _clips(work: Work) -> int:
    """How many clips all have made."""
    made = filter(None, map(made_of, work.made.values()))
    return sum(int(line.notes.get(CLIPS, 0)) for line in made)


def _complete(stage: Stage, left_out: LeftOut, total: int, clips: int) -> None:
    done = total - len(left_out.reasons)
    damaged = damaged_videos(stage.folder)
    stage.finish({"videos": done, **left_out.summary(), "damaged": damaged, "clips": clips})
    say(f"extract: {done} videos complete, {clips} clips made in this run")
    if damaged:
        say(
            f"extract: {len(damaged)} of them from damaged files, listed in {stage.folder / DAMAGED}"
        )


def _remove_former(run: Run, ledger: Ledger, failed: Sequence[str]) -> None:
    """Remove the features of videos that are left out: they are of what is no longer there."""
    for video in failed:
        run.features.remove(video)
    ledger.forget(*failed)
