"""Stage 2: every video to a file of sliding-window clip features (Appendix A.2)."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace

import torch

from feature_extraction.store import FeatureMeta
from feature_extraction.weights.loading import state_digest, weights_digest
from pipeline.data.annotations import Dataset
from pipeline.data.order import deal
from pipeline.data.videos.damage import DAMAGED, damaged_videos, note_damage
from pipeline.data.videos.finding import Source
from pipeline.data.videos.left_out import LeftOut
from pipeline.processes import distributed
from pipeline.processes.workers import Handler, Heartbeat, outcomes
from pipeline.progress import Progress, say
from pipeline.ranks import ranks
from pipeline.results.classifier_extractor import SILENCE_SECONDS
from pipeline.run_folder.manifests import Stage
from pipeline.runs.run import Run
from pipeline.training.checkpoints import MODEL_FILE, saved_weights

VideoJob = tuple[str, Source]


def run(run: Run) -> None:
    """Write `extract/features/VIDEO.h5` for every video of both subsets that has none yet.

    Videos that fail are listed in `extract/failures.json`; UserError when they are more than
    `runtime.allow_failures`. A later run tries them again.
    """
    stage = run.open("extract")
    if stage.writes:
        run.features.clear_temporary()
    distributed.barrier()  # none writes before that is done
    left_out = run.left_out("extract")
    ids = left_out.without_skipped(run.videos)
    device = run.device  # before work: it may not be there
    expected = _expected_meta(run)
    todo = distributed.from_main_process(
        lambda: [video for video in ids if not run.features.has(video, expected)]
    )
    if stage.complete and not todo:
        say(f"extract: complete ({len(ids)} videos), nothing to do")
        return
    paths = run.sources(todo, left_out)
    say(f"extract: {len(todo)} of {len(ids)} videos to do on {device}")
    jobs = _own_jobs([(video, paths[video]) for video in todo if video in paths], run.dataset)
    clips = _extract_all(run, stage, jobs, left_out, len(ids))
    left_out.merge(distributed.gather_values(left_out.reasons))
    clips = sum(distributed.gather_values(clips))
    if stage.writes:
        left_out.settle()
        _finish(stage, left_out, len(ids), clips)


def _finish(stage: Stage, left_out: LeftOut, total: int, clips: int) -> None:
    done = total - len(left_out.reasons)
    damaged = damaged_videos(stage.folder)
    stage.finish({"videos": done, **left_out.summary(), "damaged": damaged, "clips": clips})
    say(f"extract: {done} videos complete, {clips} clips made in this run")
    if damaged:
        say(
            f"extract: {len(damaged)} of them from damaged files, listed in {stage.folder / DAMAGED}"
        )


def _own_jobs(jobs: Sequence[VideoJob], dataset: Dataset) -> list[VideoJob]:
    """The jobs of this process: all processes get about the same length of video."""
    told = dict(zip(dataset.videos["video"], dataset.videos["duration"], strict=True))
    if all(told.get(video, math.nan) > 0 for video, _ in jobs):
        lengths = [float(told[video]) for video, _ in jobs]
    else:  # bytes say it nearly as well
        lengths = [float(_size(source)) for _, source in jobs]
    return [jobs[index] for index in deal(lengths, ranks().size)[ranks().rank]]


def _size(source: Source) -> int:
    try:
        return os.stat(source).st_size
    except OSError:  # a broken link: reading it will say so
        return 0


def extract_handler(run: Run, num_classes: int | tuple[int, int]) -> Handler:
    """What a worker process does with a (video, path) job: write its feature file, give the clips."""
    if run.device.type == "cpu":
        # Two processes of one thread beat one of two.
        torch.set_num_threads(1)
    model, extractor = run.classifier(num_classes)
    store = run.features
    made = replace(store.made, weights_digest=weights_digest(model))

    def handle(job: VideoJob, heartbeat: Heartbeat) -> int:
        video, path = job
        features, duration, damaged = extractor.video(path, heartbeat=heartbeat)
        # First: killed between the two, the video is made again; features without it would be silent.
        note_damage(store.folder, video, duration, damaged)
        store.save(features, replace(made, video=video, source_duration=duration))
        return len(features)

    return handle


def _extract_all(
    run: Run, stage: Stage, jobs: Sequence[VideoJob], left_out: LeftOut, total: int
) -> int:
    clips = 0
    arguments = (run, run.dataset.num_classes)
    start = total - len(jobs)
    with Progress(total, "extract", unit="video", start=start) as bar:
        stream = outcomes(
            extract_handler,
            arguments,
            jobs,
            workers=run.config.runtime.workers,
            timeout=SILENCE_SECONDS,
        )
        for done, outcome in enumerate(stream, start=1):
            if outcome.reason is not None:
                left_out.failed(outcome.job[0], outcome.reason)
            else:
                clips += outcome.result
            bar.update(1)
            stage.progress(start + done, total)
    return clips


def _expected_meta(run: Run) -> FeatureMeta:
    """What the features' files say of themselves, by whose weights they are made included."""
    state = saved_weights(run.path("finetune") / MODEL_FILE)
    return replace(run.features.made, weights_digest=state_digest(state))
