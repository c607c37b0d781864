"""What a network is shown of a moment of a video: which frames, how large, whole or cut.

The one place where the configuration's sizes become views; validation, extraction and classification
take theirs from here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from feature_extraction.sampling import (
    ClipGrid,
    segment_clip_times,
    times_inside,
    training_clip_times,
)
from feature_extraction.transforms import eval_transform
from feature_extraction.video.frame_times import TIME_EPSILON
from pipeline.configuration.sections.detection import ExtractSettings
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.configuration.settings import Config

EXTRACT = "extract_"  # goes before the accuracies of what extraction will see


@dataclass(frozen=True)
class View:
    """Frames with the shorter side at `short_side` pixels: the central square of `crop`, or whole (None).

    `prefix` goes before the names of the accuracies that are measured on it.
    """

    short_side: int
    crop: int | None
    prefix: str = ""

    def __call__(self, frames: Tensor) -> Tensor:
        """Frames uint8 [T, 3, H, W] as the network is shown them, uint8 [T, 3, h, w]."""
        return eval_transform(frames, short_side=self.short_side, crop=self.crop)


def extraction_view(settings: ExtractSettings) -> View:
    """What extraction, and classification from the video, show the network."""
    if isinstance(settings.crop, int):
        return View(settings.short_side, settings.crop, EXTRACT)
    crop = settings.short_side if settings.crop == "center" else None
    return View(settings.short_side, crop, EXTRACT)


def training_crop(settings: FinetuneSettings) -> int | None:
    """The side of the square that training cuts out, None for whole frames."""
    return None if settings.crop == "whole" else settings.crop


def validation_view(settings: FinetuneSettings) -> View:
    """What fine-tuning is validated on by itself: its crop at the centre."""
    return View(settings.eval_short_side, training_crop(settings))


def clip_grid(settings: ExtractSettings) -> ClipGrid:
    """The grid of clips a configuration extracts."""
    centre = settings.offset_frames
    shift = 0.0 if centre is None else centre - settings.stride / 2
    return ClipGrid(settings.fps, settings.frames, settings.interval, settings.stride, shift)


def interval_times(
    settings: FinetuneSettings, start: float, end: float, offset: float, video_fps: float
) -> np.ndarray:
    """Seconds [frames] of a clip of frames at a fixed interval.

    `video_fps`: the video's frames per second (0 where it does not say), for `short_segments: inside`.
    """
    times = training_clip_times(
        start,
        end,
        fps=settings.fps,
        frames=settings.frames,
        interval=settings.interval,
        offset=offset,
    )
    if settings.short_segments == "inside":
        return times_inside(times, start, end, fps=video_fps or settings.fps)
    return times


def agree(settings: FinetuneSettings, extract: ExtractSettings) -> bool:
    """Whether fine-tuning's validation shows exactly the clips that extraction will, so that one look is enough."""
    grid = clip_grid(extract)
    own, seen = validation_view(settings), extraction_view(extract)
    middle = grid.first_center
    return (
        (own.short_side, own.crop) == (seen.short_side, seen.crop)
        and (settings.fps, settings.frames, settings.interval)
        == (grid.fps, grid.frames, grid.interval)
        and settings.sampling == "interval"
        and settings.short_segments == "around"
        and grid.first_offset
        == middle - (grid.frames - 1) * grid.interval / 2  # else half a frame apart
    )


def centred_clips(
    config: Config, start: float, end: float, video_fps: float, duration: float | None = None
) -> list[tuple[View, np.ndarray]]:
    """The views of a segment [start, end] (seconds) validation looks at, each with its frames' seconds.

    Fine-tuning's own, and what extraction will see at the segment's middle where a run extracts and
    that is another. `video_fps` is that of `interval_times`, `duration` the video's in seconds, None
    if it is not known: after it, extraction repeats the last frame of its own rate.
    """
    settings = config.finetune
    if settings.sampling == "segments":
        times = segment_clip_times(start, end, places=np.full(settings.frames, 0.5))
    else:
        times = interval_times(settings, start, end, 0.5, video_fps)
    if config.extract is None:
        return [(validation_view(settings), times)]
    grid = clip_grid(config.extract)
    if agree(settings, config.extract):
        return [(validation_view(settings), _until_end(times, grid, duration))]
    around = grid.times_around(np.array([(start + end) / 2]))[0]
    seen = _until_end(around, grid, duration)
    return [(validation_view(settings), times), (extraction_view(config.extract), seen)]


def _until_end(times: np.ndarray, grid: ClipGrid, duration: float | None) -> np.ndarray:
    if duration is None:
        return times
    last = grid.last_frame(duration) / grid.fps
    return np.where(times >= duration - TIME_EPSILON, last, times)
