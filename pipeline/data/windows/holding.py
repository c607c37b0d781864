"""Which windows of which videos hold annotated segments: what BMN trains on, and is judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.configuration.sections.training import BMNSettings
from pipeline.data.features.store import FeatureStore
from pipeline.data.windows.placing import Surroundings, Window, trained_on, window_offsets
from pipeline.data.windows.positions import time_grid
from pipeline.errors import UserError


def training_windows(
    store: FeatureStore, settings: BMNSettings, rows: pd.DataFrame, videos: Sequence[str]
) -> tuple[list[Window], Counter[str]]:
    """The windows a run trains on, and how many segments were cut or are in none, by reason.

    A window is one with a segment at least `min_inside` inside; segments are cut at the video's end
    as it was decoded, which annotations overrun. `bmn.random_windows` moves these windows again
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
    places, times = rows.groupby("video", sort=False).indices, rows[["start", "end"]]
    segments = times.to_numpy(float)  # once: a piece of a table a video takes ten times as long
    for video in videos:
        around = _surroundings(store, settings, video, segments[places[video]], counts)
        used = np.zeros(len(around.segments), bool)
        for offset in map(int, window_offsets(around.length, settings)):
            span = around.grid.window(offset, settings.temporal_scale)
            inside = trained_on(around.segments, span, settings)
            used |= inside
            if inside.any():
                windows.append(
                    Window(video, offset, span, around.segments[inside], around if moving else None)
                )
        place = "regular window, only by chance in a shifted one" if moving else "window, left out"
        counts[f"fit into no {place}"] += int((~used).sum())
    return windows, +counts


def cut_at_end(segments: np.ndarray, duration: float, counts: Counter[str]) -> np.ndarray:
    """Which segments [N, 2] begin before the video's end, bool [N]; those, and such as are cut there, are counted."""
    late, gone = segments[:, 1] > duration, np.minimum(segments[:, 1], duration) <= segments[:, 0]
    counts["end after the decoded video's end, cut there"] += int(late.sum())
    counts["begin after the decoded video's end, left out"] += int(gone.sum())
    kept: np.ndarray = ~gone
    return kept


def _surroundings(
    store: FeatureStore,
    settings: BMNSettings,
    video: str,
    segments: np.ndarray,
    counts: Counter[str],
) -> Surroundings:
    """A video's grid, length and segments [N, 2], cut where it ends or features begin; that is counted."""
    clips = store.shape(video)[0]
    first = store.beginning(video)
    grid = time_grid(first, settings)
    segments = segments[cut_at_end(segments, first.duration, counts)]
    segments = np.minimum(segments, first.duration)
    early = segments[:, 0] < grid.origin
    if early.any():
        counts["begin before the first feature's cell, cut there"] += int(early.sum())
        segments = np.maximum(segments, grid.origin)
        before = segments[:, 1] <= segments[:, 0]
        counts["end before the first feature's cell, left out"] += int(before.sum())
        segments = segments[~before]
    rescaled = settings.mode == "rescale"
    length = settings.temporal_scale if rescaled else -(-clips // settings.feature_step)
    return Surroundings(grid, length, segments)
