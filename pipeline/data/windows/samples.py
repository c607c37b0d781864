"""BMN's samples: sliding windows over long videos, or whole videos rescaled (Appendix A.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from bmn.moves import window_moves
from bmn.targets import window_targets
from bmn.windows import window_features
from pipeline.configuration.sections.training import BMNSettings
from pipeline.data.batches import no_features_without, read_batches, stacked
from pipeline.data.features.store import FeatureStore
from pipeline.data.order import TrainingPlan, epoch_order, numbered
from pipeline.data.windows.placing import Window, redrawn
from pipeline.data.windows.positions import positions, sequence

_REFUSE = no_features_without("bmn")


def window_batches(
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
    plan = TrainingPlan(
        lambda number: epoch_windows(windows, settings, number),
        numbered,
        epochs=settings.epochs,
        pieces=settings.gradient_accumulation,
        epoch=epoch,
        step=step,
    )
    samples = _Windows(store, settings, windows)
    read = read_batches(samples, plan, stacked, workers=workers, lost=_REFUSE)
    for windows_read in read:
        yield windows_read | {"pieces": plan.places()}


def regular_batches(
    store: FeatureStore,
    settings: BMNSettings,
    windows: Sequence[Window],
    plan: Sequence[Sequence[int]],
    *,
    workers: int,
) -> Iterator[dict[str, Any]]:
    """Batches of the windows of these numbers, at their regular positions."""
    samples = _Windows(store, settings, windows)
    keys = [[(None, index) for index in numbers] for numbers in plan]
    yield from read_batches(samples, keys, stacked, workers=workers, lost=_REFUSE)


def epoch_windows(windows: Sequence[Window], settings: BMNSettings, epoch: int) -> list[list[int]]:
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
        return window_features(sequence(store(window.video), settings), window.offset, scale)
    # A window may begin before its video; what is read does not.
    first, stop = max(window.offset, 0), window.offset + scale
    part = store(window.video, slice(first * step, stop * step))
    return window_features(positions(part.array, settings), window.offset - first, scale)
