"""BMN's samples: sliding windows over long videos, or whole videos rescaled (Appendix A.2)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from bmn.moves import window_moves
from bmn.targets import window_targets
from bmn.windows import (
    TimeGrid,
    rescale,
    share_inside,
    sliding_grid,
    sliding_windows,
    whole_video_grid,
    window_features,
)
from feature_extraction.store import FeatureMeta
from pipeline.config import BMN, Config
from pipeline.errors import UserError
from pipeline.features import feature_shape, load_features, normalised, positions
from pipeline.loading import read_batches
from pipeline.optimisation import epoch_order
from pipeline.ranks import own_part


@dataclass(frozen=True)
class Window:
    """A training sample: where it lies in its video, and the segments it is trained on.

    `offset` counts positions (0 for a rescaled video), `span` is (start, end) in seconds, `segments`
    [N, 2] are seconds of the video.
    """

    video: str
    offset: int
    span: tuple[float, float]
    segments: np.ndarray


@dataclass(frozen=True)
class VideoInput:
    """A video as BMN sees it: features [windows, C, T], offsets [windows], its time grid and length L."""

    features: np.ndarray
    offsets: np.ndarray
    grid: TimeGrid
    length: int


def video_input(config: Config, run: Path, video: str) -> VideoInput:
    """All windows of a video, one every `window_step` positions, or the one rescaled video."""
    features, meta = load_features(config, run, video)
    sequence = _sequence(features, meta, config.bmn)
    offsets = _offsets(len(sequence), config.bmn)
    scale = config.bmn.temporal_scale
    windows = [window_features(sequence, offset, scale).T for offset in offsets]
    return VideoInput(np.stack(windows), offsets, time_grid(meta, config.bmn), len(sequence))


def time_grid(meta: FeatureMeta, settings: BMN) -> TimeGrid:
    """Seconds and BMN positions of a video."""
    if settings.mode == "rescale":
        return whole_video_grid(meta.source_duration, settings.temporal_scale)
    return sliding_grid(meta.clip_stride / meta.fps, settings.feature_step)


def training_windows(
    config: Config, run: Path, rows: pd.DataFrame, videos: Sequence[str]
) -> tuple[list[Window], Counter[str]]:
    """The windows a run trains on, and how many segments were cut or are in none, by reason.

    A window is one with a segment at least `min_inside` inside; segments are cut at the video's end
    as it was decoded, which annotations overrun. Raises UserError when there is no window.
    """
    windows: list[Window] = []
    counts: Counter[str] = Counter()
    scale = config.bmn.temporal_scale
    groups = dict(list(rows.groupby("video", sort=False)))
    for video in videos:
        segments = groups[video][["start", "end"]].to_numpy(float)
        clips = feature_shape(run, video)[0]
        _, meta = load_features(config, run, video, slice(0, 1))
        late = segments[:, 1] > meta.source_duration
        counts["end after the decoded video's end, cut there"] += int(late.sum())
        segments = np.minimum(segments, meta.source_duration)
        gone = segments[:, 1] <= segments[:, 0]
        counts["begin after the decoded video's end, left out"] += int(gone.sum())
        segments = segments[~gone]
        used = np.zeros(len(segments), bool)
        grid = time_grid(meta, config.bmn)
        length = scale if config.bmn.mode == "rescale" else -(-clips // config.bmn.feature_step)
        for offset in _offsets(length, config.bmn):
            span = grid.window(int(offset), scale)
            inside = share_inside(segments, span) >= config.bmn.min_inside
            used |= inside
            if inside.any():
                windows.append(Window(video, int(offset), span, segments[inside]))
        counts["fit into no window, left out"] += int((~used).sum())
    if not windows:
        raise UserError(
            f"bmn: no window of {scale} positions holds a whole training segment; "
            "raise bmn.temporal_scale or bmn.feature_step"
        )
    return windows, +counts


def digest(windows: Sequence[Window]) -> str:
    """What tells one list of training windows from another."""
    state = hashlib.sha256()
    for window in windows:
        state.update(f"{window.video}\0{window.offset}\0{window.segments.tolist()}\n".encode())
    return state.hexdigest()


def training_batches(
    config: Config, run: Path, windows: Sequence[Window], *, workers: int, epoch: int, step: int
) -> Iterator[dict[str, Any]]:
    """Batches of windows from a position of the training to its end, in an unbroken run's order."""
    settings = config.bmn
    plan: list[list[int]] = []
    for number in range(epoch, settings.epochs):
        order = epoch_batches(windows, settings, number)
        plan += [own_part(batch) for batch in order[step:]]
        step = 0
    samples = _Windows(config, run, windows)
    yield from read_batches(samples, plan, _collate, workers=workers, lost=_refuse)


def _refuse(video: str, reason: str) -> None:
    raise UserError(
        f"bmn: reading the features of video {video}: {reason}; delete their file and run "
        "`tada-loc extract` again"
    )


def epoch_batches(windows: Sequence[Window], settings: BMN, epoch: int) -> list[list[int]]:
    """Numbers of the windows of an epoch's batches."""
    return epoch_order(len(windows), settings.batch_size, settings.seed, epoch)


class _Windows:
    """Features [C, T] and targets of a window; files are opened where they are read."""

    def __init__(self, config: Config, run: Path, windows: Sequence[Window]) -> None:
        self._config, self._run, self._windows = config, run, windows

    def video(self, index: int) -> str:
        return self._windows[index].video

    def __getitem__(self, index: int) -> dict[str, Any]:
        window, settings = self._windows[index], self._config.bmn
        part = self._features(window, settings)
        targets = window_targets(
            window.segments,
            window.span,
            settings.temporal_scale,
            settings.duration_scale,
            settings.boundary_center,
        )
        sample = {
            "features": torch.from_numpy(np.ascontiguousarray(part.T)),
            "start": targets.start,
            "end": targets.end,
            "iou": targets.iou,
            "names": window.video,
        }
        if settings.regression:
            sample["moves"] = window_moves(
                window.segments, window.span, settings.temporal_scale, settings.duration_scale
            )
        return sample

    def _features(self, window: Window, settings: BMN) -> np.ndarray:
        """A window's positions [T, C]; of a long video no more than the window is read."""
        scale, step = settings.temporal_scale, settings.feature_step
        if settings.mode == "rescale":
            clips, meta = load_features(self._config, self._run, window.video)
            return window_features(_sequence(clips, meta, settings), window.offset, scale)
        first = window.offset * step
        span = slice(first, first + scale * step)
        clips, _ = load_features(self._config, self._run, window.video, span)
        return window_features(positions(clips, settings), 0, scale)


def _collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    batch: dict[str, Any] = {
        key: torch.stack([torch.as_tensor(sample[key]) for sample in samples])
        for key in samples[0]
        if key != "names"
    }
    return batch | {"names": [sample["names"] for sample in samples]}


def _sequence(features: np.ndarray, meta: FeatureMeta, settings: BMN) -> np.ndarray:
    """A video's positions [L, C]: of its clips, or T of the whole video rescaled."""
    if settings.mode == "windows":
        return positions(features, settings)
    # The last clip's cell may reach beyond the end; the video is rescaled, not the padding.
    extent = min(len(features), meta.source_duration * meta.fps / meta.clip_stride)
    return normalised(rescale(features, settings.temporal_scale, extent=extent), settings)


def _offsets(length: int, settings: BMN) -> np.ndarray:
    step = settings.window_step or settings.duration_scale
    return sliding_windows(length, settings.temporal_scale, min(step, settings.temporal_scale))
