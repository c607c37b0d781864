"""How features describe themselves: what they were made by, their clip grid, and a digest of their content."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from feature_extraction.feature_meta import WHOLE
from feature_extraction.sampling import ClipGrid
from feature_extraction.store import FeatureMeta
from pipeline.configuration.sections.detection import ExtractSettings
from pipeline.data.clips.geometry import clip_grid
from pipeline.data.features import IMPORTED


def extracted_by(settings: ExtractSettings, backbone: str) -> FeatureMeta:
    """How features describe themselves that are extracted so; video, duration and weights are to be filled in."""
    grid = clip_grid(settings)
    return FeatureMeta(
        video="",
        fps=grid.fps,
        clip_frames=grid.frames,
        frame_interval=grid.interval,
        clip_stride=grid.stride,
        clip_shift=grid.shift,
        resize=settings.short_side,
        crop=str(settings.crop),
        source_duration=0.0,
        backbone=backbone,
        weights_digest="",
        precision=settings.precision,
    )


def imported_on(made: FeatureMeta, short_side: int = 0) -> FeatureMeta:
    """How features from elsewhere describe themselves on the clip grid of `made`.

    `short_side` of the frames in pixels, 0 where it is not known.
    """
    return replace(
        made,
        resize=short_side,
        crop=WHOLE,
        backbone=IMPORTED,
        weights_digest=IMPORTED,
        precision=IMPORTED,
    )


def with_grid(made: FeatureMeta, grid: ClipGrid) -> FeatureMeta:
    """The same description on another clip grid."""
    return replace(
        made,
        fps=grid.fps,
        clip_frames=grid.frames,
        frame_interval=grid.interval,
        clip_stride=grid.stride,
        clip_shift=grid.shift,
    )


def content_of(features: np.ndarray, meta: FeatureMeta) -> str:
    """A digest of features [clips, C] as they are stored, and of the times they stand for."""
    stored = np.ascontiguousarray(features, dtype=np.float16)
    times = (
        meta.fps,
        meta.clip_frames,
        meta.frame_interval,
        meta.clip_stride,
        meta.source_duration,
        *([meta.clip_shift] if meta.clip_shift else []),
    )
    state = hashlib.sha256(repr((stored.shape, *map(float, times))).encode())
    state.update(stored.tobytes())
    return state.hexdigest()


def grid_of(meta: FeatureMeta) -> ClipGrid:
    """The clip grid of a feature file."""
    return ClipGrid(
        meta.fps, meta.clip_frames, meta.frame_interval, meta.clip_stride, meta.clip_shift
    )
