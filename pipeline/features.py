"""A run's stored features as the later stages read them: checked against the configuration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bmn.windows import position_features
from feature_extraction.store import FeatureFileError, FeatureMeta, feature_path, read_features
from pipeline.config import BMN, Config
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.stages.extract import FAILURES, FEATURES


def expected_attributes(config: Config) -> dict[str, object]:
    """The attributes a run's feature files must have."""
    settings = config.extract
    return {
        "fps": settings.fps,
        "clip_frames": settings.frames,
        "frame_interval": settings.interval,
        "clip_stride": settings.stride,
        "resize": settings.short_side,
        "backbone": config.backbone.name,
        "precision": settings.precision,
    }


def load_features(config: Config, run: Path, video: str) -> tuple[np.ndarray, FeatureMeta]:
    """A video's features [clips, C] and how they were made.

    Raises UserError where the file is missing, damaged or made with other settings.
    """
    path = feature_path(run / "extract" / FEATURES, video)
    try:
        return read_features(path, expected_attributes(config))
    except FeatureFileError as error:
        raise UserError(f"{error}; run `tada-loc extract` again") from error


def videos_with_features(config: Config, run: Path, videos: Sequence[str]) -> list[str]:
    """The videos whose features are on disk; those that failed to extract are said, not hidden.

    Raises UserError when features are missing that are not among the failures the user allowed.
    """
    folder = run / "extract" / FEATURES
    there = [video for video in videos if feature_path(folder, video).exists()]
    missing = [video for video in videos if video not in set(there)]
    if not missing:
        return there
    failures = run / "extract" / FAILURES
    known = set()
    if failures.exists():
        known = {row["video"] for row in json.loads(failures.read_text(encoding="utf-8"))}
    shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    if set(missing) - known or len(missing) > config.runtime.allow_failures:
        raise UserError(
            f"{folder}: no features of {len(missing)} videos ({shown}); run `tada-loc extract`, or go "
            f"on without with --allow-failures {len(missing)}"
        )
    say(f"{len(missing)} videos have no features and count as having no detections: {shown}")
    return there


def positions(features: np.ndarray, settings: BMN) -> np.ndarray:
    """BMN's positions [L, C] among a video's clip features: every `feature_step`-th."""
    return normalised(position_features(features, settings.feature_step), settings)


def normalised(features: np.ndarray, settings: BMN) -> np.ndarray:
    """Features [L, C] as float32, each L2-normalised where the configuration says so."""
    if settings.normalize:
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        features = features / np.maximum(norms, 1e-12)
    return np.ascontiguousarray(features, dtype=np.float32)
