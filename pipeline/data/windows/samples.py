"""BMN's samples: sliding windows over long videos, or whole videos rescaled (Appendix A.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from bmn.moves import window_moves
from bmn.targets import window_targets
from bmn.windows import (
    TimeGrid,
    rescale,
    sliding_grid,
    whole_video_grid,
    window_features,
)
from pipeline.configuration.training_settings import BMNSettings
from pipeline.data.batches import read_batches
from pipeline.data.features.store import Features, FeatureStore
from pipeline.data.order import epoch_order, own_part
from pipeline.data.windows.placing import Surroundings, Window, held, redrawn, window_offsets
from pipeline.data.windows.positions import normalised, positions
from pipeline.errors import UserError


@dataclass(frozen=True)
class VideoInput:
    """A video as BMN sees it: features [windows, C, T], offsets [windows], its time grid and length L."""

    features: np.ndarray
    offsets: np.ndarray
    grid: TimeGrid
    length: int


def video_input(features: Features, settings: BMNSettings) -> VideoInput:
    """All windows of a video, one every `window_step` positions, or the one rescaled video."""
    sequence = _sequence(features, settings)
    offsets = window_offsets(len(sequence), settings)
    windows = [
        window_features(sequence, int(offset), settings.temporal_scale).T for offset in offsets
    ]
    return VideoInput(np.stack(windows), offsets, time_grid(features, settings), len(sequence))


def time_grid(features: Features, settings: BMNSettings) -> TimeGrid:
    """Seconds and BMN positions of a video."""
    if settings.mode == "rescale":
        return whole_video_grid(features.duration, settings.temporal_scale)
    return sliding_grid(features.grid.seconds_per_clip, settings.feature_step)


def training_windows(
    store: FeatureStore, settings: BMNSettings, rows: pd.DataFrame, videos: Sequence[str]
) -> tuple[list[Window], Counter[str]]:
    """The windows a run trains on, and how many segments were cut or are in none, by reason.

    A window is one with a segment at least `min_inside` inside; segments are cut at the video's end
    as it was decoded, which annotations overrun. `bmn.random_windows` moves these windows anew
    every epoch (`training_batches`); a rescaled video stays as it is, whatever it says. Raises
    UserError when there is no window.
    """
    moving = settings.random_windows and settings.mode == "windows"
    windows, counts = windows_holding(store, settings, rows, videos, moving=moving)
    if not windows:
        raise UserError(
            f"bmn: no window of {settings.temporal_scale} positions holds a whole training segment; "
            "raise bmn.temporal_scale or bmn.feature_step"
        )
    return windows, counts


def windows_holding(
    store: FeatureStore,
    settings: BMNSettings,
    rows: pd.DataFrame,
    videos: Sequence[str],
    *,
    moving: bool,
) -> tuple[list[Window], Counter[str]]:
    """As `training_windows`, of `moving` windows or of such that stay; there may be none."""
    windows: list[Window] = []
    counts: Counter[str] = Counter()
    groups = dict(list(rows.groupby("video", sort=False)))
    for video in videos:
        segments = groups[video][["start", "end"]].to_numpy(float)
        around = _surroundings(store, settings, video, segments, counts)
        used = np.zeros(len(around.segments), bool)
        for offset in map(int, window_offsets(around.length, settings)):
            span = around.grid.window(offset, settings.temporal_scale)
            inside = held(around.segments, span, settings)
            used |= inside
            if inside.any():
                windows.append(
                    Window(video, offset, span, around.segments[inside], around if moving else None)
                )
        place = "regular window, only by chance in a shifted one" if moving else "window, left out"
        counts[f"fit into no {place}"] += int((~used).sum())
    return windows, +counts


def _surroundings(
    store: FeatureStore,
    settings: BMNSettings,
    video: str,
    segments: np.ndarray,
    counts: Counter[str],
) -> Surroundings:
    """A video's grid, length and segments [N, 2], cut at its end; what is cut off is counted."""
    clips = store.shape(video)[0]
    first = store(video, slice(0, 1))
    late = segments[:, 1] > first.duration
    counts["end after the decoded video's end, cut there"] += int(late.sum())
    segments = np.minimum(segments, first.duration)
    gone = segments[:, 1] <= segments[:, 0]
    counts["begin after the decoded video's end, left out"] += int(gone.sum())
    rescaled = settings.mode == "rescale"
    length = settings.temporal_scale if rescaled else -(-clips // settings.feature_step)
    return Surroundings(time_grid(first, settings), length, segments[~gone])


def training_batches(
    store: FeatureStore,
    settings: BMNSettings,
    windows: Sequence[Window],
    *,
    workers: int,
    epoch: int,
    step: int,
) -> Iterator[dict[str, Any]]:
    """Batches of windows from a position of the training to its end, in an unbroken run's order.

    Windows that move lie where (seed, epoch, number of the window) puts them, whatever came before.
    """
    plan: list[list[tuple[int, int]]] = []
    for number in range(epoch, settings.epochs):
        order = epoch_batches(windows, settings, number)
        plan += [[(number, index) for index in own_part(batch)] for batch in order[step:]]
        step = 0
    samples = _Windows(store, settings, windows)
    yield from read_batches(samples, plan, _collate, workers=workers, lost=_refuse)


def regular_batches(
    store: FeatureStore,
    settings: BMNSettings,
    windows: Sequence[Window],
    plan: Sequence[Sequence[int]],
    *,
    workers: int,
) -> Iterator[dict[str, Any]]:
    """Batches of the windows of these numbers, at their regular places."""
    samples = _Windows(store, settings, windows)
    keys = [[(None, index) for index in numbers] for numbers in plan]
    yield from read_batches(samples, keys, _collate, workers=workers, lost=_refuse)


def _refuse(video: str, reason: str) -> None:
    raise UserError(
        f"bmn: reading the features of video {video}: {reason}; delete their file and run "
        "`tada-loc extract` again"
    )


def epoch_batches(windows: Sequence[Window], settings: BMNSettings, epoch: int) -> list[list[int]]:
    """Numbers of the windows of an epoch's batches."""
    return epoch_order(len(windows), settings.batch_size, settings.seed, epoch)


class _Windows:
    """The samples of a training; files are opened where they are read.

    A key is (epoch, number of the window), which places a window that moves; no epoch leaves it.
    """

    def __init__(
        self, store: FeatureStore, settings: BMNSettings, windows: Sequence[Window]
    ) -> None:
        self._store, self._settings, self._windows = store, settings, windows

    def video(self, key: tuple[int | None, int]) -> str:
        return self._windows[key[1]].video

    def __getitem__(self, key: tuple[int | None, int]) -> dict[str, Any]:
        epoch, index = key
        window = self._windows[index]
        if epoch is not None:
            window = redrawn(window, self._settings, epoch, index)
        return window_sample(self._store, self._settings, window)


def window_sample(store: FeatureStore, settings: BMNSettings, window: Window) -> dict[str, Any]:
    """A window's features [C, T] and targets: start, end [T], iou [D, T], moves [2, D, T] with
    `bmn.regression`; `names` is its video.
    """
    part = _window_features(store, settings, window)
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


def _window_features(store: FeatureStore, settings: BMNSettings, window: Window) -> np.ndarray:
    """A window's positions [T, C]; of a long video no more than the window is read."""
    scale, step = settings.temporal_scale, settings.feature_step
    if settings.mode == "rescale":
        return window_features(_sequence(store(window.video), settings), window.offset, scale)
    # A window may begin before its video; what is read does not.
    first, stop = max(window.offset, 0), window.offset + scale
    part = store(window.video, slice(first * step, stop * step))
    return window_features(positions(part.array, settings), window.offset - first, scale)


def _collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    batch: dict[str, Any] = {
        key: torch.stack([torch.as_tensor(sample[key]) for sample in samples])
        for key in samples[0]
        if key != "names"
    }
    return batch | {"names": [sample["names"] for sample in samples]}


def _sequence(features: Features, settings: BMNSettings) -> np.ndarray:
    """A video's positions [L, C]: of its clips, or T of the whole video rescaled."""
    if settings.mode == "windows":
        return positions(features.array, settings)
    # The last clip's cell may reach beyond the end; the video is rescaled, not the padding.
    grid = features.grid
    extent = min(len(features), features.duration * grid.fps / grid.stride)
    return normalised(rescale(features.array, settings.temporal_scale, extent=extent), settings)
