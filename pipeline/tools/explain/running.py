"""A video explained: which one, by which model, what of it, and the files that are written."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd
import torch

from feature_extraction.extractor import ExtractionError, Extractor
from feature_extraction.published.names import PublishedError
from feature_extraction.store import FeatureFileError, feature_path
from feature_extraction.video.reader import VideoError
from pipeline.data.videos.finding import Source, find_videos
from pipeline.errors import UsageError, UserError
from pipeline.model_files.opening import open_model
from pipeline.prediction.choosing import Choice, require_classes
from pipeline.prediction.detector import Detector, with_changes
from pipeline.prediction.model import Model
from pipeline.prediction.networks import classifier_of
from pipeline.processes.device import pick_device
from pipeline.progress import Progress, say
from pipeline.results.classifier_extractor import extractor_of
from pipeline.run_folder.files import write_json
from pipeline.run_folder.lock import locked
from pipeline.runs.found import detections_of
from pipeline.runs.run import Run, run_of
from pipeline.tools.explain.film import write_film
from pipeline.tools.explain.looking import Explained, look_at
from pipeline.tools.explain.moments import Moment, detected_moments, moment_at
from pipeline.tools.explain.numbers import as_json, table
from pipeline.tools.explain.plot import write_plot
from pipeline.tools.explain.sheet import write_sheet
from pipeline.tools.explain.targets import targets_named
from pipeline.tools.predict.inputs import Frames, find_inputs

FOLDER = "explain"
SHEET, PLOT, NUMBERS = "sheet.png", "calibration.png", "explain.json"


@dataclass(frozen=True)
class Request:
    """What is to be explained: `video` is an id of the run, or a path.

    `model` is a run's folder or a model file, `folder` where the files go (None: in the run's folder, else here).
    `at` is a moment in seconds in place of the detections that `choice` wants.
    """

    model: Path
    video: str
    choice: Choice = field(default_factory=Choice)
    at: float | None = None
    against: tuple[str, ...] = ()
    folder: Path | None = None
    device: str | None = None
    frames: Frames = field(default_factory=Frames)


class Written(NamedTuple):
    """What is printed: the table, the folder, and the files in it."""

    table: str
    folder: Path
    files: tuple[str, ...]


def explain(request: Request) -> Written:
    """Explain moments of a video and write sheet, film, plot and numbers. Raises UserError in one line."""
    if request.at is not None and (request.choice.threshold is not None or request.choice.top):
        raise UsageError("--at explains a moment; --top and --threshold choose detections")
    model = open_model(request.model)
    _require_explainable(model)
    against = targets_named(model.heads, request.against, against=True)
    require_classes(model.heads, request.choice.classes)
    device = pick_device(request.device or model.config.runtime.device)
    run = run_of(request.model) if request.model.is_dir() else None
    video, source = _find(request, run)
    try:
        if request.at is None:
            found = _detections(request, run, model, video, source, device)
            if model.config.names_own_classes:
                say(
                    "explain: ActionFormer predicted the detections; the maps show the classifier on clips"
                )
            moments = detected_moments(found, request.choice, model.heads, against, video)
        else:
            named = targets_named(model.heads, request.choice.classes, against=False)
            moments = [moment_at(request.at, named, against)]
        extractor = _extractor(model, device)
        explained = _look(moments, extractor, source, model)
        with locked(target := _folder(request, run, video)):
            return _write(target, video, source, model, extractor, explained)
    except (VideoError, ExtractionError) as error:
        raise UserError(f"video {video}: {error}") from error


def _require_explainable(model: Model) -> None:
    """Refuse networks of others: the positions of their features in a frame are not known. Raises UserError."""
    try:
        published = model.config.backbone.of_others
    except PublishedError as error:
        raise UserError(f"{model.name}: backbone.name: {error}") from error
    if published is not None:
        raise UserError(
            f"{model.name}: its backbone is {model.config.backbone.title}; explain supports built-in "
            "networks only (docs/how-to/backbones.md)"
        )


def _find(request: Request, run: Run | None) -> tuple[str, Source]:
    """The video's name and where it is. Raises UserError."""
    if run is not None and not os.path.lexists(request.video):
        if request.video not in run.videos:
            near = difflib.get_close_matches(request.video, run.videos, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(
                f"{request.video}: is not a video of {run.folder}, and there is no such file{hint}"
            )
        sources, _ = find_videos(run.config.dataset, run.dataset, [request.video])
        if request.video not in sources:
            raise UserError(
                f"video {request.video}: is not in {run.config.dataset.videos}; give its path"
            )
        return request.video, sources[request.video]
    found = find_inputs([request.video], request.frames)
    if len(found) > 1:
        raise UserError(f"{request.video}: is {len(found)} videos; explain one at a time")
    ((video, source),) = found.items()
    return video, source


def _detections(
    request: Request,
    run: Run | None,
    model: Model,
    video: str,
    source: Source,
    device: torch.device,
) -> pd.DataFrame:
    """The video's detections: those of the run where it has them, else found now."""
    if run is not None and not os.path.lexists(request.video) and _is_evaluated(run, video):
        rows = detections_of(run)
        return rows[rows["video"] == video].reset_index(drop=True)
    say(
        f"explain: {video}: detecting actions in the whole video first (not needed with --at SECONDS)"
    )
    return Detector(model, device=str(device)).predict(source, video).detections


def _is_evaluated(run: Run, video: str) -> bool:
    """Whether the run's own detections are of this video and current."""
    known = video in run.dataset.video_ids(run.subsets[1])
    return known and run.is_complete(run.ways.detecting)


def _extractor(model: Model, device: torch.device) -> Extractor:
    """The classifier as it extracts, in float32: gradients are taken of it."""
    config = with_changes(model.config, "float32", allow_partial=False)
    extract = config.extract.model_copy(update={"compile": False})
    config = config.model_copy(update={"extract": extract})
    return extractor_of(config, classifier_of(model, device), device)


def _look(
    moments: Sequence[Moment], extractor: Extractor, source: Source, model: Model
) -> list[Explained]:
    total = sum(len(moment.centres(extractor.grid)) for moment in moments)
    with Progress(total, "explain", unit="clip") as bar:
        return [
            look_at(moment, extractor, source, model.heads, progress=bar.update)
            for moment in moments
        ]


def _folder(request: Request, run: Run | None, video: str) -> Path:
    base = request.folder or (run.folder / FOLDER if run is not None else Path(FOLDER))
    try:
        feature_path(base, video)
    except FeatureFileError as error:
        raise UserError(str(error)) from error
    return base / video


def _write(
    folder: Path,
    video: str,
    source: Source,
    model: Model,
    extractor: Extractor,
    explained: Sequence[Explained],
) -> Written:
    film = f"{PurePosixPath(video).name}.mp4"
    backbone = model.config.backbone.title
    write_sheet(folder / SHEET, f"{video}: Grad-CAM of {model.name} ({backbone})", explained)
    write_plot(folder / PLOT, backbone, explained)
    write_film(folder / film, explained, extractor, source)
    write_json(folder / NUMBERS, as_json(video, model, explained))
    return Written(table(explained), folder, (SHEET, film, PLOT, NUMBERS))
