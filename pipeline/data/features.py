"""A run's stored features as the later stages read them: checked against the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bmn.windows import interpolated_positions, position_features
from feature_extraction.store import (
    FeatureFileError,
    FeatureMeta,
    feature_path,
    read_features,
    read_shape,
)
from pipeline.configuration.settings import Config
from pipeline.configuration.training_settings import BMNSettings
from pipeline.data.failures import how_to_go_on, read_failures
from pipeline.data.skipping import without_skipped
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.run_folder.manifests import read_manifest
from pipeline.stages.extract import FEATURES
from pipeline.stages.fields import IMPORTED, is_imported


def expected_attributes(config: Config, *, imported: bool = False) -> dict[str, object]:
    """The attributes a run's feature files must have; of imported ones the grid is all that is known."""
    settings = config.extract
    grid = {
        "fps": settings.fps,
        "clip_frames": settings.frames,
        "frame_interval": settings.interval,
        "clip_stride": settings.stride,
    }
    if imported:
        return grid | {"backbone": IMPORTED}
    return grid | {
        "resize": settings.short_side,
        "crop": settings.crop,
        "backbone": config.backbone.name,
        "precision": settings.precision,
    }


def load_features(
    config: Config, run: Path, video: str, span: slice = slice(None)
) -> tuple[np.ndarray, FeatureMeta]:
    """A video's features [clips, C], or a span of them, and how they were made.

    Raises UserError where the file is missing, damaged or made with other settings.
    """
    path = feature_path(run / "extract" / FEATURES, video)
    imported = is_imported(run)
    try:
        return read_features(path, expected_attributes(config, imported=imported), span=span)
    except FeatureFileError as error:
        if imported:
            raise UserError(f"{error}; run `tada-loc import-features` again") from error
        raise UserError(f"{error}; run `tada-loc extract` again") from error


def feature_shape(run: Path, video: str) -> tuple[int, int]:
    """How many clips and channels a video's features have. Raises UserError as `load_features` does."""
    try:
        return read_shape(feature_path(run / "extract" / FEATURES, video))
    except FeatureFileError as error:
        raise UserError(str(error)) from error


def common_channels(run: Path, videos: Sequence[str]) -> int:
    """The channels of the videos' features. Raises UserError naming the file of one that has others."""
    first = feature_shape(run, videos[0])[1]
    for video in videos:
        channels = feature_shape(run, video)[1]
        if channels != first:
            path = feature_path(run / "extract" / FEATURES, video)
            raise UserError(
                f"{path}: has {channels} channels, that of video {videos[0]} {first}; delete the one that "
                "is wrong and run `tada-loc extract` again"
            )
    return first


def videos_with_features(config: Config, run: Path, videos: Sequence[str], stage: str) -> list[str]:
    """The videos whose features are on disk; those skipped or failed to extract are said, not hidden.

    Raises UserError when features are missing that are not among the failures the user allowed.
    """
    folder = run / "extract" / FEATURES
    videos, _ = without_skipped(config, videos, stage)
    there = [video for video in videos if feature_path(folder, video).exists()]
    known = set(there)
    missing = [video for video in videos if video not in known]
    if not missing:
        return there
    known = read_failures(run / "extract").keys()
    shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    if set(missing) - known or len(missing) > config.runtime.allow_failures:
        raise UserError(
            f"{folder}: no features of {len(missing)} videos ({shown}); run `tada-loc extract`, "
            + how_to_go_on(len(missing))
        )
    say(f"{len(missing)} videos have no features and count as having no detections: {shown}")
    return there


def positions(features: np.ndarray, settings: BMNSettings) -> np.ndarray:
    """BMN's positions [L, C] among a video's clip features [n, C], each of `feature_step` of them.

    `bmn.positions` says what a group becomes: its first feature (`every`), its mean (`average`), or
    what lies at its centre (`interpolate`). No position depends on another's features, so a span of
    whole groups gives the positions that the whole video has there.
    """
    step = settings.feature_step
    if settings.positions == "interpolate":
        return normalised(interpolated_positions(features, step), settings)
    average = settings.positions == "average"
    return normalised(position_features(features, step, average=average), settings)


def normalised(features: np.ndarray, settings: BMNSettings) -> np.ndarray:
    """Features [L, C] as float32, each L2-normalised where the configuration says so."""
    if settings.normalize:
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        features = features / np.maximum(norms, 1e-12)
    return np.ascontiguousarray(features, dtype=np.float32)


def require_head(run: Path) -> None:
    """Refuse to classify imported features in a run that has no classifier.

    Raises UserError saying what to do.
    """
    if is_imported(run) and read_manifest(run, "finetune") is None:
        raise UserError(
            f"{run}: its features were imported and it has no classifier head to name classes with; the "
            "proposals in bmn/proposals/proposals.csv are its result, or run `tada-loc finetune` on the "
            "network the features come from"
        )


def check_channels(run: Path, features: int, head: int) -> None:
    """Refuse features the classifier's head cannot take. Raises UserError."""
    if features != head:
        raise UserError(
            f"{run}: features have {features} channels and the classifier's head takes {head}; they come "
            "from another network than finetune trained"
        )
