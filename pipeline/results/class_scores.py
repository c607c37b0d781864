"""Class scores of proposals from clips decoded at them: a part file a video, read where it can be killed."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from feature_extraction.asked_clips import features_at
from feature_extraction.backbones import for_inference
from pipeline.configuration.reading import Config
from pipeline.data import annotations
from pipeline.data.clips.geometry import clip_grid, extraction_view
from pipeline.data.failures import NOT_THERE, counted, read_failures, require_few, write_failures
from pipeline.data.videos import require_videos
from pipeline.processes.device import pick_device
from pipeline.processes.workers import Beat, Handler, outcomes
from pipeline.progress import Progress, say
from pipeline.run_folder import manifests as artifacts
from pipeline.stages.extract import SILENCE_SECONDS
from pipeline.training.classifier import class_probabilities, load_classifier

PARTS = "videos"

Job = tuple[str, Any, np.ndarray]  # video, its source, times [n, positions] in seconds


def decoded_scores(
    config: Config, dataset: annotations.Dataset, folder: Path, times: Mapping[str, np.ndarray]
) -> dict[str, list[np.ndarray]]:
    """Scores [n, classes] a head of proposals asked for at `times` [n, positions], by video.

    Those of videos that fail are not there; they are listed in `classify/failures.json`. Goes on from the
    parts a killed run has left. Raises UserError where more fail than `runtime.allow_failures`.
    """
    stage = folder / "classify"
    sizes = [len(head) for head in dataset.heads]
    allowed = config.runtime.allow_failures
    todo = [video for video in times if not _read(stage, video, len(times[video]), sizes)]
    paths = require_videos(config.dataset, dataset, todo, allowed)
    failures = {video: NOT_THERE for video in todo if video not in paths}
    before = read_failures(stage)
    jobs = [(video, paths[video], times[video]) for video in todo if video in paths]
    arguments = (config, dataset.num_classes, folder)
    start = len(times) - len(jobs)
    with Progress(len(times), "classify", unit="video", start=start) as bar:
        for outcome in outcomes(
            score_handler,
            arguments,
            jobs,
            workers=config.runtime.workers,
            timeout=SILENCE_SECONDS,
        ):
            if outcome.reason is not None:
                failures[outcome.job[0]] = outcome.reason
                say(f"classify: video {outcome.job[0]} failed: {outcome.reason}")
                write_failures(stage, "classify", before | counted(failures, before))
            bar.update(1)
    write_failures(stage, "classify", counted(failures, before))
    require_few(stage, "classify", failures, allowed)
    read = {video: _read(stage, video, len(times[video]), sizes) for video in times}
    return {video: scores for video, scores in read.items() if scores and video not in failures}


def score_handler(config: Config, num_classes: int | tuple[int, int], folder: Path) -> Handler:
    """What a worker process does with a job: write the scores of a video's proposals."""
    settings, view = config.extract, extraction_view(config.extract)
    device = pick_device(config.runtime.device)
    model = load_classifier(config.backbone, num_classes, folder, device)
    network = for_inference(model, precision=settings.precision, compiled=settings.compile)

    def handle(job: Job, beat: Beat) -> None:
        video, path, times = job
        centers, cells = np.unique(times, return_inverse=True)
        features = features_at(
            network,
            path,
            centers,
            clip_grid(settings),
            short_side=view.short_side,
            crop=view.crop,
            batch_size=settings.batch_size,
            device=device,
            decoder=settings.decoder,
            allow_partial=settings.allow_partial,
            on_batch=beat,
            mean=config.backbone.mean,
            std=config.backbone.std,
        )
        cells = cells.reshape(times.shape)
        scores = [head[cells].mean(1) for head in class_probabilities(model, features, device)]
        _write(folder / "classify", video, scores)

    return handle


def drop_parts(folder: Path) -> None:
    """Remove the parts of a stage that is complete; what cannot be removed does no harm."""
    shutil.rmtree(folder / PARTS, ignore_errors=True)


def _part(folder: Path, video: str) -> Path:
    return folder / PARTS / f"{video}.npz"


def _write(folder: Path, video: str, scores: Sequence[np.ndarray]) -> None:
    with (
        artifacts.atomic_path(_part(folder, video)) as temporary,
        temporary.open("wb") as stream,
    ):
        np.savez(stream, *scores)


def _read(folder: Path, video: str, count: int, sizes: Sequence[int]) -> list[np.ndarray]:
    """A video's scores, one array a head; none where there is no whole part of this form."""
    try:
        with np.load(_part(folder, video), allow_pickle=False) as archive:
            scores = [archive[f"arr_{head}"] for head in range(len(sizes))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return []
    wanted = [(count, size) for size in sizes]
    return scores if [array.shape for array in scores] == wanted else []
