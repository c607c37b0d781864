"""Stage 2: every video to a file of sliding-window clip features (Appendix A.2)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from feature_extraction.video.reader import DamagedVideoError, VideoError
from feature_extraction.weights.loading import weights_digest
from pipeline.data.annotations import Dataset
from pipeline.data.features.store import Written
from pipeline.data.order import deal
from pipeline.data.remote.videos import RemoteVideo
from pipeline.data.videos.damage import (
    DAMAGED,
    damaged_videos,
    extraction_takes_parts,
    note_damage,
    told,
)
from pipeline.data.videos.finding import Source
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.videos.sightings import pictures_note
from pipeline.processes import distributed
from pipeline.processes.workers import Handler, Heartbeat, outcomes
from pipeline.progress import Progress, say
from pipeline.ranks import ranks
from pipeline.results.classifier_extractor import SILENCE_SECONDS
from pipeline.run_folder.identity import named
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.run_folder.stage import Stage
from pipeline.runs.inputs.fields import made_by
from pipeline.runs.run import Run
from pipeline.runs.states import feature_faults

VideoJob = tuple[str, Source, str]  # video, its source, which file that is
_CLIPS = "clips"  # a note: how many the features have


def run(run: Run) -> None:
    """Write `extract/features/VIDEO.h5` for every video of both subsets whose features are not current.

    Videos that fail are listed in `extract/failures.json`; UserError when they are more than
    `runtime.allow_failures`. A later run tries them again.
    """
    stage = run.open("extract")
    ledger = Ledger(stage.folder)
    if stage.writes:
        _take_unrecorded(run, stage, ledger)
    distributed.barrier()  # none writes before that is done
    left_out = run.left_out("extract")
    ids = left_out.without_skipped(run.videos)
    device = run.device  # before work: it may not be there
    faults: dict[str, str] = distributed.from_main_process(lambda: feature_faults(run.facts()))
    todo = [video for video in ids if video in faults]
    if stage.complete and not todo:
        say(f"extract: complete ({len(ids)} videos), nothing to do")
        return
    _say_faults(faults)
    paths = run.sources(todo, left_out)
    say(f"extract: {len(todo)} of {len(ids)} videos to do on {device}")
    jobs = _own_jobs([(video, paths[video]) for video in todo if video in paths], run.dataset)
    made = _extract_all(run, stage, jobs, left_out, len(ids))
    left_out.merge(distributed.gather_values(left_out.reasons))
    made = [line for lines in distributed.gather_values(made) for line in lines]
    if stage.writes:
        ledger.lines.update({line.video: line for line in made})
        ledger.write()
        left_out.settle()
        _remove_former(run, ledger, [video for video in todo if video in left_out.reasons])
        clips = sum(int(line.notes[_CLIPS]) for line in made)
        _finish(stage, left_out, len(ids), clips)


def _take_unrecorded(run: Run, stage: Stage, ledger: Ledger) -> None:
    """Record feature files that nobody recorded: an older program's, or made just before a kill."""
    run.features.clear_temporary()
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


def _remove_former(run: Run, ledger: Ledger, failed: Sequence[str]) -> None:
    """Remove the features of videos that are left out: they are of what is no longer there."""
    for video in failed:
        run.features.remove(video)
    ledger.forget(*failed)


def _line(video: str, by: str, of: str, written: Written, notes: Mapping[str, str]) -> Made:
    return Made(
        video=video, by=by, of=of, file=written.file, content=written.content, notes=dict(notes)
    )


def _finish(stage: Stage, left_out: LeftOut, total: int, clips: int) -> None:
    done = total - len(left_out.reasons)
    damaged = damaged_videos(stage.folder)
    stage.finish({"videos": done, **left_out.summary(), "damaged": damaged, "clips": clips})
    say(f"extract: {done} videos complete, {clips} clips made in this run")
    if damaged:
        say(
            f"extract: {len(damaged)} of them from damaged files, listed in {stage.folder / DAMAGED}"
        )


def _own_jobs(jobs: Sequence[tuple[str, Source]], dataset: Dataset) -> list[tuple[str, Source]]:
    """The jobs of this process: all processes get about the same length of video."""
    told = dict(zip(dataset.videos["video"], dataset.videos["duration"], strict=True))
    if all(told.get(video, math.nan) > 0 for video, _ in jobs):
        lengths = [float(told[video]) for video, _ in jobs]
    else:  # bytes say it nearly as well
        lengths = [float(_size(source)) for _, source in jobs]
    return [jobs[index] for index in deal(lengths, ranks().size)[ranks().rank]]


def _size(source: Source) -> int:
    if isinstance(source, RemoteVideo):
        return source.size
    try:
        return os.stat(source).st_size
    except OSError:  # a broken link: reading it will say so
        return 0


def extract_handler(run: Run, num_classes: int | tuple[int, int]) -> Handler:
    """What a worker process does with a job: write a video's feature file, give what was written."""
    # Two processes of one thread beat one of two; beside a GPU threads would only share single frames.
    torch.set_num_threads(1)
    model, extractor = run.classifier(num_classes)
    store = run.features
    takes = extraction_takes_parts(run.detection)
    made = replace(store.made, weights_digest=weights_digest(model))

    def handle(job: VideoJob, heartbeat: Heartbeat) -> tuple[Written, dict[str, str]]:
        video, path, identity = job
        try:
            features, duration, damaged = extractor.video(path, heartbeat=heartbeat)
        except DamagedVideoError as error:
            raise VideoError(told(error, takes)) from error
        # First: killed between the two, the video is made again; features without it would be silent.
        note_damage(store.folder, video, duration, damaged)
        meta = replace(made, video=video, source_duration=duration, source=identity)
        written = store.save(features, meta)
        heartbeat()
        return written, {_CLIPS: str(len(features))} | pictures_note(path, made.fps)

    return handle


def _extract_all(
    run: Run, stage: Stage, jobs: Sequence[tuple[str, Source]], left_out: LeftOut, total: int
) -> list[Made]:
    """Extract this process's videos; each is recorded as soon as it is there."""
    made: list[Made] = []
    arguments = (run, run.dataset.num_classes)
    identities, by = run.sightings.identities, made_by(stage.fields)
    work = [(video, path, identities.get(video, "")) for video, path in jobs]
    ledger = Ledger(stage.folder)
    start = total - len(jobs)
    with Progress(total, "extract", unit="video", start=start) as bar:
        stream = outcomes(
            extract_handler,
            arguments,
            work,
            workers=run.config.runtime.workers,
            timeout=SILENCE_SECONDS,
        )
        for done, outcome in enumerate(stream, start=1):
            video, _, identity = outcome.job
            if outcome.reason is not None:
                left_out.failed(video, outcome.reason)
            else:
                made.append(_line(video, by, identity, *outcome.result))
                if stage.writes:
                    ledger.note(made[-1])
            bar.update(1)
            stage.progress(start + done, total)
    return made
