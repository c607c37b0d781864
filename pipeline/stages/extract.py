"""Stage 2: every video to a file of sliding-window clip features (Appendix A.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch

from feature_extraction.video.reader import DamagedVideoError, VideoError
from feature_extraction.weights.loading import weights_digest
from pipeline.data.features.store import Written
from pipeline.data.videos.damage import (
    extraction_takes_parts,
    note_damage,
    told,
)
from pipeline.data.videos.finding import Source, videos_there
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.videos.sightings import pictures_note
from pipeline.processes import distributed
from pipeline.processes.workers import Handler, Heartbeat, outcomes
from pipeline.progress import Progress, say
from pipeline.results.classifier_extractor import SILENCE_SECONDS
from pipeline.run_folder.identity import named
from pipeline.run_folder.joined.claims import Claim
from pipeline.run_folder.joined.sharing import Work
from pipeline.run_folder.joined.todo import Todo
from pipeline.run_folder.ledger import Ledger, Made, plain
from pipeline.run_folder.stage import Stage
from pipeline.runs.inputs.fields import made_by
from pipeline.runs.joint import joined
from pipeline.runs.run import Run
from pipeline.runs.states import feature_faults
from pipeline.stages.extracted import CLIPS, ToMake, finish
from pipeline.stages.shares import Shares, lengths_of, was_finished

# Video, its source, which file that is, the right to make it.
VideoJob = tuple[str, Source, str, Claim]


def run(run: Run) -> None:
    """Write `extract/features/VIDEO.h5` for every video of both subsets whose features are not current.

    Together with all processes that are at work at the run folder. Videos that fail are listed in
    `extract/failures.json`; UserError when they are more than `runtime.allow_failures`. A later run tries them again.
    """
    while not _together(run):
        say("extract: other processes took this one for dead; starting again")


def _together(run: Run) -> bool:
    """Work until all is done, or this process's shard is; False if it has to start again."""
    device = run.device  # before work: it may not be there
    with joined(run, "extract", partial(_take_unrecorded, run)) as (stage, work):
        left_out = run.left_out("extract")
        left_out.record = work.fail
        ids = left_out.without_skipped(run.videos)
        work.member.sign(total=len(ids))
        faults: dict[str, str] = distributed.from_main_process(lambda: feature_faults(run.facts()))
        todo = [video for video in ids if video in faults]
        if stage.complete and not todo:
            say(f"extract: complete ({len(ids)} videos), nothing to do")
            return True
        _say_faults(faults)
        paths = run.sources(todo, left_out)
        shares = _shares(run, ids, paths)
        share = [video for video in shares.of(run.shard) if video in paths]
        making = ToMake(ids, faults, paths, shares, share)
        count = len(share) if run.shard is not None else len(todo)
        say(f"extract: {count} of {len(ids)} videos to do on {device}")
        _extract_all(run, stage, work, making, left_out)
        over = distributed.any_rank(work.over)
        if stage.writes and not over:
            over = not finish(run, stage, work, making, left_out)
    return not over or was_finished(run, stage, "extract", feature_faults(run.facts()))


def _shares(run: Run, ids: Sequence[str], paths: Mapping[str, Source]) -> Shares:
    """Shares of all videos of the run, the same whatever is done already; a process without one takes what is to do."""
    if run.shard is None or not run.shard.count:
        return Shares(list(paths), lengths_of(list(paths), paths, run.dataset))
    there = videos_there(run.config.dataset, run.dataset, ids)
    return Shares(ids, lengths_of(ids, there, run.dataset))


def _take_unrecorded(run: Run, stage: Stage) -> None:
    """Record feature files that were not recorded: an older program's, or made just before a kill."""
    run.features.clear_temporary()
    ledger = Ledger(stage.folder)
    by, identities = made_by(stage.fields), run.sightings.identities
    found = 0
    for video in run.videos:
        if ledger.get(video) is None:
            identity = identities.get(video)
            if (written := run.features.written(video, identity)) is not None:
                ledger.lines[video] = _line(video, by, identity or "", written, {})
                found += 1
    if found:
        ledger.write()


def _say_faults(faults: Mapping[str, str]) -> None:
    groups: dict[str, list[str]] = {}
    for video, why in faults.items():
        if why != "missing":
            groups.setdefault(why, []).append(video)
    for why, videos in groups.items():
        say(f"extract: features of {len(videos)} videos are {why} ({named(videos)}), made again")


def _line(video: str, by: str, of: str, written: Written, notes: Mapping[str, str]) -> Made:
    return Made(
        video=video, by=by, of=of, file=written.file, content=written.content, notes=dict(notes)
    )


def extract_handler(run: Run, num_classes: int | tuple[int, int]) -> Handler:
    """What a worker process does with a job: write a video's feature file, give what was written."""
    # Two processes of one thread are faster than one of two; beside a GPU threads would only share single frames.
    torch.set_num_threads(1)
    model, extractor = run.classifier(num_classes)
    store = run.features
    takes = extraction_takes_parts(run.detection)
    made = replace(store.made, weights_digest=weights_digest(model))

    def handle(job: VideoJob, heartbeat: Heartbeat) -> tuple[Written, dict[str, str]] | None:
        video, path, identity, claim = job
        try:
            features, duration, damaged = extractor.video(path, heartbeat=heartbeat)
        except DamagedVideoError as error:
            raise VideoError(told(error, takes)) from error
        if not claim.holds():  # this process was suspended, and another makes the video
            return None
        # First: killed between the two, the video is made again; features without it would be silent.
        note_damage(store.folder, video, duration, damaged)
        meta = replace(made, video=video, source_duration=duration, source=identity)
        written = store.save(features, meta)
        heartbeat()
        return written, {CLIPS: str(len(features))} | pictures_note(path, made.fps)

    return handle


def _extract_all(run: Run, stage: Stage, work: Work, making: ToMake, left_out: LeftOut) -> None:
    """Extract what of this process's share is free; each is recorded as soon as it is there."""
    by, total = made_by(stage.fields), len(making.ids)
    todo = Todo(work, making.share)
    start = total - len(making.paths)
    with Progress(total, "extract", unit="video", start=start) as bar:
        stream = outcomes(
            extract_handler,
            (run, run.dataset.num_classes),
            _jobs(run, todo, work, making, by),
            workers=run.config.runtime.workers,
            timeout=SILENCE_SECONDS,
        )
        for outcome in stream:
            video, _, identity, claim = outcome.job
            if outcome.result is None and not claim.holds():
                todo.back(video)
            elif outcome.result is None:
                left_out.failed(video, outcome.reason or "")
            else:
                work.note(plain(_line(video, by, identity, *outcome.result)))
            work.claims.release(claim)
            bar.reach(todo.done)


def _jobs(run: Run, todo: Todo, work: Work, making: ToMake, by: str) -> Iterator[VideoJob | None]:
    """A job as soon as a video is claimed. One that a killed process made and did not come to record is recorded."""
    identities = run.sightings.identities
    for claim in todo.claims():
        video = None if claim is None else claim.name
        if claim is None or video is None:
            yield None
            continue
        identity = identities.get(video, "")
        if claim.generation > 1 and making.faults[video] == "missing":
            written = run.features.written(video, identity)
            if written is not None:
                work.note(plain(_line(video, by, identity, written, {})))
                work.claims.release(claim)
                continue
        yield video, making.paths[video], identity, claim
