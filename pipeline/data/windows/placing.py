"""BMN's training windows: the segments they hold, and the places they take in every epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bmn.windows import TimeGrid, share_inside, sliding_windows
from pipeline.configuration.sections.training import BMNSettings
from pipeline.seeds import step_seed

DRAWS = 8  # places tried for a window before it stays at its regular one


@dataclass(frozen=True)
class Surroundings:
    """The video a window can move in: its time grid, its length L in positions, all its segments.

    `segments` [N, 2] are seconds of the video.
    """

    grid: TimeGrid
    length: int
    segments: np.ndarray


@dataclass(frozen=True)
class Window:
    """A training sample: where it is in its video, and the segments it is trained on.

    `offset` counts positions (0 for a rescaled video, below 0 for a window that begins before its
    video), `span` is (start, end) in seconds, `segments` [N, 2] are seconds of the video; `around`
    is what another place is drawn from, None for a window that stays.
    """

    video: str
    offset: int
    span: tuple[float, float]
    segments: np.ndarray
    around: Surroundings | None = None


def trained_on(
    segments: np.ndarray, span: tuple[float, float], settings: BMNSettings
) -> np.ndarray:
    """Bool [N]: which segments [N, 2] a window trains on, those at least `min_inside` inside."""
    return share_inside(segments, span) >= settings.min_inside


def window_step(settings: BMNSettings) -> int:
    """Positions from one window to the next."""
    return min(settings.window_step or settings.duration_scale, settings.temporal_scale)


def window_offsets(length: int, settings: BMNSettings) -> np.ndarray:
    """Offsets int64 [W] of the regular windows of a video of L positions, 0 for a rescaled one.

    `bmn.windows_to_end` says where they end (bmn.windows.sliding_windows).
    """
    if settings.mode == "rescale":
        return np.zeros(1, np.int64)
    step, scale = window_step(settings), settings.temporal_scale
    return sliding_windows(length, scale, step, to_end=settings.windows_to_end)


def redrawn(window: Window, settings: BMNSettings, epoch: int, index: int) -> Window:
    """The window where it is in an epoch, as (seed, epoch, index) alone has it.

    A place with no training segment inside is drawn again; after DRAWS of them it stays in place.
    """
    if window.around is None:
        return window
    around = window.around
    first, last = _reach(window.offset, around.length, settings)
    generator = torch.Generator().manual_seed(step_seed(settings.seed, 9, epoch, index))
    for offset in torch.randint(first, last + 1, (DRAWS,), generator=generator).tolist():
        span = around.grid.window(offset, settings.temporal_scale)
        inside = trained_on(around.segments, span, settings)
        if inside.any() and offset < around.length:
            return Window(window.video, offset, span, around.segments[inside], around)
    return window


def _reach(offset: int, length: int, settings: BMNSettings) -> tuple[int, int]:
    """The first and the last offset a window can be drawn at.

    Half a step to either side, a step's places in all: so the windows of a video, a step apart,
    reach each place once. A video shorter than the window lies in it whole, wherever.
    """
    if length < settings.temporal_scale:
        return length - settings.temporal_scale, 0
    step = window_step(settings)
    return offset - step // 2, offset - step // 2 + step - 1


def windows_digest(windows: Sequence[Window]) -> str:
    """What distinguishes one list of training windows from another, what they are redrawn from included."""
    state = hashlib.sha256()
    around = None
    for window in windows:
        state.update(f"{window.video}\0{window.offset}\0{window.segments.tolist()}\n".encode())
        if window.around is not None and window.around is not around:  # once per video
            around = window.around
            state.update(f"{around.grid}\0{around.length}\0{around.segments.tolist()}\n".encode())
    return state.hexdigest()
