"""BMN's samples: sliding windows over long videos, or whole videos rescaled (Appendix A.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from bmn.targets import window_targets
from bmn.windows import rescale, sliding_windows, window_features
from pipeline.config import BMN, Config
from pipeline.errors import UserError
from pipeline.features import load_features, positions, seconds_per_position
from pipeline.optimisation import epoch_order


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
    """A video as BMN sees it: features [windows, C, T], offsets [windows], seconds a position, length."""

    features: np.ndarray
    offsets: np.ndarray
    seconds: float
    length: int


def video_input(config: Config, run: Path, video: str) -> VideoInput:
    """All windows of a video, overlapping by T - window_step positions, or the one rescaled video."""
    settings = config.bmn
    features, meta = load_features(config, run, video)
    if settings.mode == "rescale":
        whole = rescale(positions(features, settings), settings.temporal_scale)
        seconds = meta.source_duration / settings.temporal_scale
        return VideoInput(whole.T[None], np.zeros(1, np.int64), seconds, settings.temporal_scale)
    sequence = positions(features, settings)
    offsets = _offsets(len(sequence), settings)
    windows = [window_features(sequence, offset, settings.temporal_scale).T for offset in offsets]
    return VideoInput(np.stack(windows), offsets, seconds_per_position(config), len(sequence))


def training_windows(config: Config, run: Path, rows: pd.DataFrame, videos: Sequence[str]) -> list[Window]:
    """The windows a run trains on: those with a segment at least `min_inside` inside.

    A rescaled video counts as inside itself. Raises UserError when there is none.
    """
    windows: list[Window] = []
    groups = {video: table for video, table in rows.groupby("video", sort=False)}
    for video in videos:
        if video not in groups:
            continue
        segments = groups[video][["start", "end"]].to_numpy(float)
        features, meta = load_features(config, run, video)
        if config.bmn.mode == "rescale":
            windows.append(Window(video, 0, (0.0, meta.source_duration), segments))
            continue
        length = len(positions(features, config.bmn))
        seconds = seconds_per_position(config)
        for offset in _offsets(length, config.bmn):
            span = (offset * seconds, (offset + config.bmn.temporal_scale) * seconds)
            inside = _inside(segments, span) >= config.bmn.min_inside
            if inside.any():
                windows.append(Window(video, int(offset), span, segments[inside]))
    if not windows:
        raise UserError(
            f"bmn: no window of {config.bmn.temporal_scale} positions holds a whole training segment; "
            "raise bmn.temporal_scale or bmn.feature_step"
        )
    return windows


def training_batches(
    config: Config, run: Path, windows: Sequence[Window], *, workers: int, epoch: int, step: int
) -> Iterator[dict[str, Any]]:
    """Batches of windows from a position of the training to its end, in an unbroken run's order."""
    settings = config.bmn
    plan: list[list[int]] = []
    for number in range(epoch, settings.epochs):
        order = epoch_order(len(windows), settings.batch_size, settings.seed, number)
        plan += order[step:]
        step = 0
    workers = min(workers, len(plan))
    yield from DataLoader(
        _Windows(config, run, windows),
        batch_sampler=plan,
        num_workers=workers,
        collate_fn=_collate,
        multiprocessing_context="fork" if workers else None,
    )


def steps_an_epoch(windows: Sequence[Window], settings: BMN) -> int:
    """Batches an epoch has."""
    return -(-len(windows) // settings.batch_size)


class _Windows(TorchDataset):
    """Features [C, T] and targets of a window; files are opened where they are read."""

    def __init__(self, config: Config, run: Path, windows: Sequence[Window]) -> None:
        self._config, self._run, self._windows = config, run, windows

    def __getitem__(self, index: int) -> dict[str, Any]:
        window, settings = self._windows[index], self._config.bmn
        features, _ = load_features(self._config, self._run, window.video)
        sequence = positions(features, settings)
        if settings.mode == "rescale":
            part = rescale(sequence, settings.temporal_scale)
        else:
            part = window_features(sequence, window.offset, settings.temporal_scale)
        targets = window_targets(
            window.segments, window.span, settings.temporal_scale, settings.duration_scale
        )
        return {
            "features": torch.from_numpy(np.ascontiguousarray(part.T)),
            "start": targets.start,
            "end": targets.end,
            "iou": targets.iou,
            "names": window.video,
        }


def _collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    batch: dict[str, Any] = {
        key: torch.stack([torch.as_tensor(sample[key]) for sample in samples])
        for key in ("features", "start", "end", "iou")
    }
    return batch | {"names": [sample["names"] for sample in samples]}


def _offsets(length: int, settings: BMN) -> np.ndarray:
    step = settings.window_step or settings.duration_scale
    return np.asarray(sliding_windows(length, settings.temporal_scale, step), np.int64)


def _inside(segments: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    """The share of each segment that lies in a span."""
    overlap = np.minimum(segments[:, 1], span[1]) - np.maximum(segments[:, 0], span[0])
    return overlap.clip(0) / (segments[:, 1] - segments[:, 0])
