"""Stage 2: every video to a file of sliding-window clip features (Appendix A.2)."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from feature_extraction.backbones import for_inference
from feature_extraction.backbones.weights import weights_digest
from feature_extraction.extractor import extract_features
from feature_extraction.sampling import ClipGrid
from feature_extraction.store import (
    FeatureFileError,
    FeatureMeta,
    feature_path,
    read_meta,
    write_features,
)
from pipeline import annotations, artifacts, distributed
from pipeline.config import Config, Extract
from pipeline.device import pick_device
from pipeline.errors import UserError
from pipeline.models import load_classifier
from pipeline.opening import begin_stage
from pipeline.progress import Progress, say
from pipeline.ranks import deal, ranks
from pipeline.videos import Source, require_videos
from pipeline.workers import Beat, Handler, Outcome, run_jobs

FEATURES = "features"
FAILURES = "failures.json"
SILENCE_SECONDS = 300.0

Job = tuple[str, Source]


def run(config: Config, folder: Path, *, force: bool = False) -> None:
    """Write `extract/features/VIDEO.h5` for every video of both subsets that has none yet.

    Videos that fail are listed in `extract/failures.json`; UserError when they are more than
    `runtime.allow_failures`. A later run tries them again.
    """
    stage = begin_stage(config, folder, "extract", force=force)
    dataset = annotations.load(config.dataset)
    subsets = (config.dataset.train_subset, config.dataset.eval_subset)
    ids = [video for subset in subsets for video in dataset.video_ids(subset)]
    device = pick_device(config.runtime.device)
    expected = _expected_meta(config, dataset, folder)
    todo = distributed.from_leader(
        lambda: [video for video in ids if not has_features(stage.folder, video, expected)]
    )
    if stage.complete and not todo:
        say(f"extract: complete ({len(ids)} videos), nothing to do")
        return
    paths = require_videos(config.dataset, dataset, todo, config.runtime.allow_failures)
    say(f"extract: {len(todo)} of {len(ids)} videos to do on {device}")
    failures = {video: "no such file" for video in todo if video not in paths}
    jobs = _own_jobs([(video, paths[video]) for video in todo if video in paths], dataset)
    clips = _extract_all(config, dataset, stage, expected, jobs, failures, len(ids))
    for others in distributed.gather_values(failures):
        failures |= others
    clips = sum(distributed.gather_values(clips))
    if not stage.leads:
        return
    _report(config, stage, failures)
    stage.finish({"videos": len(ids) - len(failures), "left_out": sorted(failures), "clips": clips})
    say(f"extract: {len(ids) - len(failures)} videos complete, {clips} clips made in this run")


def _own_jobs(jobs: Sequence[Job], dataset: annotations.Dataset) -> list[Job]:
    """The jobs of this process: all processes get about the same length of video."""
    told = dict(zip(dataset.videos["video"], dataset.videos["duration"], strict=True))
    if all(told.get(video, math.nan) > 0 for video, _ in jobs):
        lengths = [told[video] for video, _ in jobs]
    else:  # bytes say it nearly as well
        lengths = [os.stat(source).st_size for _, source in jobs]
    return [jobs[index] for index in deal(lengths, ranks().size)[ranks().rank]]


def clip_grid(settings: Extract) -> ClipGrid:
    """The grid of clips a run extracts."""
    return ClipGrid(settings.fps, settings.frames, settings.interval, settings.stride)


def has_features(folder: Path, video: str, expected: FeatureMeta) -> bool:
    """Whether a video's feature file is there, whole, and made as expected.

    Raises UserError when it was made with other settings.
    """
    path = feature_path(folder / FEATURES, video)
    if not path.exists():
        return False
    try:
        found = read_meta(path)
    except FeatureFileError as error:
        say(f"extract: {error}; made again")
        return False
    wanted = replace(expected, video=video, source_duration=found.source_duration)
    if found != wanted:
        raise UserError(f"{path}: made with other settings; use --force to make the features again")
    return True


def extract_handler(config: Config, num_classes: int | tuple[int, int], folder: Path) -> Handler:
    """What a worker process does with a (video, path) job: write its feature file, give the clips."""
    settings = config.extract
    device = pick_device(config.runtime.device)
    if device.type == "cpu":
        # Two processes of one thread beat one of two.
        torch.set_num_threads(1)
    model = load_classifier(config.backbone, num_classes, folder, device)
    base = _meta(config, weights_digest(model))
    network = for_inference(model, precision=settings.precision, compiled=settings.compile)

    def handle(job: Job, beat: Beat) -> int:
        video, path = job
        features, duration = extract_features(
            network,
            path,
            clip_grid(settings),
            short_side=settings.short_side,
            batch_size=settings.batch_size,
            device=device,
            decoder=settings.decoder,
            mean=config.backbone.mean,
            std=config.backbone.std,
            on_batch=beat,
        )
        meta = replace(base, video=video, source_duration=duration)
        write_features(feature_path(folder / "extract" / FEATURES, video), features, meta)
        return len(features)

    return handle


def _extract_all(
    config: Config,
    dataset: annotations.Dataset,
    stage: artifacts.Stage,
    expected: FeatureMeta,
    jobs: Sequence[Job],
    failures: dict[str, str],
    total: int,
) -> int:
    (stage.folder / FEATURES).mkdir(exist_ok=True)
    if stage.leads:
        for litter in (stage.folder / FEATURES).glob(".tmp-*"):
            litter.unlink()
    distributed.barrier()
    clips = 0
    arguments = (config, dataset.num_classes, stage.folder.parent)
    start = total - len(jobs)
    with Progress(total, "extract", unit="video", start=start) as bar:
        for done, outcome in enumerate(_outcomes(config, arguments, jobs), start=1):
            if outcome.reason is not None:
                failures[outcome.job[0]] = outcome.reason
                say(f"extract: video {outcome.job[0]} failed: {outcome.reason}", anyone=True)
            else:
                clips += outcome.result
            bar.update(1)
            stage.progress(start + done, total)
    return clips


def _outcomes(config: Config, arguments: tuple[Any, ...], jobs: Sequence[Job]) -> Any:
    workers = min(config.runtime.workers, len(jobs))
    if workers:
        yield from run_jobs(
            extract_handler, arguments, jobs, workers=workers, timeout=SILENCE_SECONDS
        )
        return
    handle = extract_handler(*arguments) if jobs else None
    for job in jobs:
        try:
            yield Outcome(job, handle(job, lambda: None))
        except (ValueError, OSError) as error:
            yield Outcome(job, reason=str(error))


def _report(config: Config, stage: artifacts.Stage, failures: dict[str, str]) -> None:
    path = stage.folder / FAILURES
    if not failures:
        path.unlink(missing_ok=True)
        return
    rows = [{"video": v, "stage": "extract", "reason": r} for v, r in sorted(failures.items())]
    artifacts.write_json(path, rows)
    if len(failures) > config.runtime.allow_failures:
        shown = "; ".join(f"{row['video']}: {row['reason']}" for row in rows[:3])
        raise UserError(
            f"extract: {len(failures)} videos failed ({shown}), all listed in {path}; mend them and run "
            f"again, or go on without with --allow-failures {len(failures)}"
        )


def _expected_meta(config: Config, dataset: annotations.Dataset, folder: Path) -> FeatureMeta:
    model = load_classifier(config.backbone, dataset.num_classes, folder, torch.device("cpu"))
    return _meta(config, weights_digest(model))


def _meta(config: Config, digest: str) -> FeatureMeta:
    settings = config.extract
    return FeatureMeta(
        video="",
        fps=settings.fps,
        clip_frames=settings.frames,
        frame_interval=settings.interval,
        clip_stride=settings.stride,
        resize=settings.short_side,
        source_duration=0.0,
        backbone=config.backbone.name,
        weights_digest=digest,
        precision=settings.precision,
    )
