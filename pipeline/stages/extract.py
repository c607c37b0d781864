"""Stage 2: every video to a file of sliding-window clip features (Appendix A.2)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from feature_extraction.backbones import for_inference
from feature_extraction.extractor import extract_features
from feature_extraction.store import (
    FeatureFileError,
    FeatureMeta,
    feature_path,
    read_meta,
    write_features,
)
from feature_extraction.weights.loading import weights_digest
from pipeline.configuration.reading import Config
from pipeline.data import annotations
from pipeline.data.clips.geometry import clip_grid, extraction_view
from pipeline.data.damage import DAMAGED, damaged_videos, note_damage
from pipeline.data.failures import (
    NOT_THERE,
    Failure,
    counted,
    read_failures,
    require_few,
    write_failures,
)
from pipeline.data.order import deal
from pipeline.data.skipping import without_skipped
from pipeline.data.videos import Source, require_videos
from pipeline.errors import UserError, cannot_write
from pipeline.processes import distributed
from pipeline.processes.device import pick_device
from pipeline.processes.workers import Beat, Handler, outcomes
from pipeline.progress import Progress, say
from pipeline.ranks import ranks
from pipeline.run_folder import manifests as artifacts
from pipeline.stages.opening import begin_stage
from pipeline.training.classifier import load_classifier

FEATURES = "features"
SILENCE_SECONDS = 300.0

Job = tuple[str, Source]


def run(config: Config, folder: Path, *, force: bool = False) -> None:
    """Write `extract/features/VIDEO.h5` for every video of both subsets that has none yet.

    Videos that fail are listed in `extract/failures.json`; UserError when they are more than
    `runtime.allow_failures`. A later run tries them again.
    """
    stage = begin_stage(config, folder, "extract", force=force)
    if stage.leads:
        artifacts.clear_litter((stage.folder / FEATURES).glob(".tmp-*"))
    distributed.barrier()  # none writes before that is done
    dataset = annotations.load(config.dataset)
    subsets = (config.dataset.train_subset, config.dataset.eval_subset)
    ids = [video for subset in subsets for video in dataset.video_ids(subset)]
    ids, skipped = without_skipped(config, ids, "extract")
    device = pick_device(config.runtime.device)
    expected = _expected_meta(config, dataset, folder)
    todo = distributed.from_main_process(
        lambda: [video for video in ids if not has_features(stage.folder, video, expected)]
    )
    if stage.complete and not todo:
        say(f"extract: complete ({len(ids)} videos), nothing to do")
        return
    paths = require_videos(config.dataset, dataset, todo, config.runtime.allow_failures)
    say(f"extract: {len(todo)} of {len(ids)} videos to do on {device}")
    failures = {video: NOT_THERE for video in todo if video not in paths}
    jobs = _own_jobs([(video, paths[video]) for video in todo if video in paths], dataset)
    before = read_failures(stage.folder)
    clips = _extract_all(config, dataset, stage, jobs, failures, before, len(ids))
    for others in distributed.gather_values(failures):
        failures |= others
    clips = sum(distributed.gather_values(clips))
    if not stage.leads:
        return
    write_failures(stage.folder, "extract", counted(failures, before))
    require_few(stage.folder, "extract", failures, config.runtime.allow_failures)
    damaged = damaged_videos(stage.folder)
    stage.finish(
        {
            "videos": len(ids) - len(failures),
            "left_out": sorted([*failures, *skipped]),
            "skipped": len(skipped),
            "damaged": damaged,
            "clips": clips,
        }
    )
    say(f"extract: {len(ids) - len(failures)} videos complete, {clips} clips made in this run")
    if damaged:
        say(
            f"extract: {len(damaged)} of them from damaged files, listed in {stage.folder / DAMAGED}"
        )


def _own_jobs(jobs: Sequence[Job], dataset: annotations.Dataset) -> list[Job]:
    """The jobs of this process: all processes get about the same length of video."""
    told = dict(zip(dataset.videos["video"], dataset.videos["duration"], strict=True))
    if all(told.get(video, math.nan) > 0 for video, _ in jobs):
        lengths = [told[video] for video, _ in jobs]
    else:  # bytes say it nearly as well
        lengths = [_size(source) for _, source in jobs]
    return [jobs[index] for index in deal(lengths, ranks().size)[ranks().rank]]


def _size(source: Source) -> int:
    try:
        return os.stat(source).st_size
    except OSError:  # a broken link: reading it will say so
        return 0


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


def save_features(path: Path, features: np.ndarray, meta: FeatureMeta) -> None:
    """Write a feature file. Raises UserError where the disk is full or read-only: no video's fault."""
    try:
        write_features(path, features, meta)
    except OSError as error:
        raise cannot_write(path, error) from error


def extract_handler(config: Config, num_classes: int | tuple[int, int], folder: Path) -> Handler:
    """What a worker process does with a (video, path) job: write its feature file, give the clips."""
    settings, view = config.extract, extraction_view(config.extract)
    device = pick_device(config.runtime.device)
    if device.type == "cpu":
        # Two processes of one thread beat one of two.
        torch.set_num_threads(1)
    model = load_classifier(config.backbone, num_classes, folder, device)
    base = _meta(config, weights_digest(model))
    network = for_inference(model, precision=settings.precision, compiled=settings.compile)

    def handle(job: Job, beat: Beat) -> int:
        video, path = job
        damage: list[tuple[float, float]] = []
        features, duration = extract_features(
            network,
            path,
            clip_grid(settings),
            short_side=view.short_side,
            crop=view.crop,
            batch_size=settings.batch_size,
            device=device,
            decoder=settings.decoder,
            mean=config.backbone.mean,
            std=config.backbone.std,
            allow_partial=settings.allow_partial,
            on_batch=beat,
            on_damage=damage.extend,
        )
        # First: killed between the two, the video is made again; features without it would be silent.
        note_damage(folder / "extract", video, duration, damage)
        meta = replace(base, video=video, source_duration=duration)
        save_features(feature_path(folder / "extract" / FEATURES, video), features, meta)
        return len(features)

    return handle


def _extract_all(
    config: Config,
    dataset: annotations.Dataset,
    stage: artifacts.Stage,
    jobs: Sequence[Job],
    failures: dict[str, str],
    before: Mapping[str, Failure],
    total: int,
) -> int:
    clips = 0
    arguments = (config, dataset.num_classes, stage.folder.parent)
    start = total - len(jobs)
    with Progress(total, "extract", unit="video", start=start) as bar:
        stream = outcomes(
            extract_handler,
            arguments,
            jobs,
            workers=config.runtime.workers,
            timeout=SILENCE_SECONDS,
        )
        for done, outcome in enumerate(stream, start=1):
            if outcome.reason is not None:
                failures[outcome.job[0]] = outcome.reason
                say(f"extract: video {outcome.job[0]} failed: {outcome.reason}", anyone=True)
                if stage.leads:  # now, not at the end: the run may never come to it
                    write_failures(stage.folder, "extract", before | counted(failures, before))
            else:
                clips += outcome.result
            bar.update(1)
            stage.progress(start + done, total)
    return clips


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
        crop=settings.crop,
        source_duration=0.0,
        backbone=config.backbone.name,
        weights_digest=digest,
        precision=settings.precision,
    )
