"""BMN's cells of a video, as the configuration samples it."""

from __future__ import annotations

import numpy as np

from bmn.upper_bound import Cells
from bmn.windows import sliding_grid, whole_video_grid
from pipeline.configuration.sections.detection import ExtractSettings
from pipeline.configuration.sections.training import BMNSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.clips.geometry import clip_grid
from pipeline.data.windows.placing import trained_on, window_offsets


def video_cells(extract: ExtractSettings, bmn: BMNSettings, duration: float) -> Cells:
    """The cells of a video of `duration` seconds; its clips are those of `extract`."""
    scale = bmn.temporal_scale
    if bmn.mode == "rescale":
        grid, length, offsets = whole_video_grid(duration, scale), scale, np.zeros(1, int)
    else:
        clips = clip_grid(extract)
        length = -(-clips.num_clips(duration) // bmn.feature_step)
        grid = sliding_grid(clips.seconds_per_clip, bmn.feature_step, clips.origin)
        offsets = window_offsets(length, bmn)
    return Cells(grid, length, offsets, scale, bmn.duration_scale, bmn.boundary_center)


def windows_with_segments(config: DetectionConfig, segments: np.ndarray, duration: float) -> int:
    """How many windows of a video of `duration` seconds train on one of the segments [N, 2] (seconds)."""
    cells = video_cells(config.extract, config.bmn, duration)
    segments = np.clip(segments, max(cells.grid.origin, 0.0), duration)
    segments = segments[segments[:, 1] > segments[:, 0]]
    spans = [cells.grid.window(int(offset), cells.temporal_scale) for offset in cells.offsets]
    return sum(bool(trained_on(segments, span, config.bmn).any()) for span in spans)
