"""Between a video's features and the network's windows: cut, pad, rescale, time, and fuse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bmn.errors import BMNError


@dataclass(frozen=True)
class TimeGrid:
    """The one mapping between seconds of the video and positions of the network.

    Position i stands for [i, i + 1) * seconds_per_position after `origin` (seconds).
    """

    seconds_per_position: float
    origin: float = 0.0

    def to_positions(self, seconds: np.ndarray) -> np.ndarray:
        """Seconds -> positions (fractional), elementwise."""
        return (np.asarray(seconds, dtype=np.float64) - self.origin) / self.seconds_per_position

    def to_seconds(self, positions: np.ndarray) -> np.ndarray:
        """Positions -> seconds, elementwise."""
        return np.asarray(positions, dtype=np.float64) * self.seconds_per_position + self.origin

    def window(self, offset: int, length: int) -> tuple[float, float]:
        """Start and end in seconds of the `length` positions from `offset` on."""
        start, end = self.to_seconds(np.array([offset, offset + length]))
        return float(start), float(end)


def whole_video_grid(duration: float, temporal_scale: int) -> TimeGrid:
    """The grid of a video of `duration` seconds rescaled to T positions. Raises BMNError."""
    if not duration > 0 or temporal_scale < 1:
        raise BMNError(f"duration {duration} s and temporal_scale {temporal_scale} must be above 0")
    return TimeGrid(duration / temporal_scale)


def sliding_grid(seconds_per_feature: float, every: int = 1, origin: float = 0.0) -> TimeGrid:
    """The grid of positions that are `every` features apart, from `origin` [s] on. Raises BMNError."""
    if not seconds_per_feature > 0 or every < 1:
        raise BMNError(f"{seconds_per_feature} s a feature, every {every}: both must be above 0")
    return TimeGrid(seconds_per_feature * every, origin)


def position_features(features: np.ndarray, every: int, *, average: bool = False) -> np.ndarray:
    """One row a position from features [n, C]: the first of every `every` rows, or their mean.

    Returns [ceil(n / every), C]; the mean of the last group is over the rows it has.
    """
    if every < 1:
        raise BMNError(f"a position every {every} features: must be 1 or more")
    if every == 1 or not average:
        return features[::every]
    starts = np.arange(0, len(features), every)
    counts = np.diff(np.append(starts, len(features)))
    sums = np.add.reduceat(features, starts, axis=0, dtype=np.float32)
    return sums / counts[:, None].astype(np.float32)


def interpolated_positions(features: np.ndarray, every: int) -> np.ndarray:
    """One row a position of `every` rows, from features [n, C]: what they are at its centre.

    Returns [ceil(n / every), C] float32: position i is the linear interpolation at row
    (i + 1/2) * every - 1/2 between the two rows around it, so it stands for [i, i + 1) * every like
    the mean does (and is the mean for every = 2), and depends on no row of another position. A last
    group that breaks off before its centre gives the last row there is.
    Raises BMNError for every < 1.
    """
    if every < 1:
        raise BMNError(f"a position every {every} features: must be 1 or more")
    centres = (np.arange(math.ceil(len(features) / every)) + 0.5) * every - 0.5
    return _interpolated(features, centres)


def sliding_windows(length: int, window: int, step: int, *, to_end: bool = False) -> np.ndarray:
    """Offsets int64 [W] of windows every `step` positions until one reaches the end of `length`.

    There is always a first window; the last may reach beyond the video, where it is padded. With
    step + D <= window every segment of up to D positions lies wholly in one of them. `to_end`: one
    begins every `step` positions as long as it begins before the end, as in the TAdaConv paper's
    public code (which leaves out one with under 0.2 s of video); what they add is padding.
    Raises BMNError if the windows would leave gaps or there is nothing to cover.
    """
    if length < 1 or not 1 <= step <= window:
        raise BMNError(
            f"length {length}, window {window}, step {step}: need length >= 1, 1 <= step <= window"
        )
    first_beyond = length if to_end else max(length - window, 0) + step
    return np.arange(0, first_beyond, step, dtype=np.int64)


def window_features(features: np.ndarray, offset: int, window: int) -> np.ndarray:
    """Rows offset : offset + window of features [n, C], zeros outside them: [window, C].

    An offset below 0 pads in front. Raises BMNError if the window holds no row at all.
    """
    if not -window < offset < len(features):
        raise BMNError(
            f"window offset {offset}: {window} positions from there hold none of {len(features)}"
        )
    before = max(-offset, 0)
    cut = features[max(offset, 0) : offset + window]
    padded = np.zeros((window, features.shape[1]), dtype=features.dtype)
    padded[before : before + len(cut)] = cut
    return padded


def share_inside(segments: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """The share [N] of each segment [N, 2] that lies in the window (all in seconds).

    A segment of no length is inside (1) or outside (0) by its place.
    """
    table = np.asarray(segments, dtype=np.float64).reshape(-1, 2)
    start, end = table[:, 0], table[:, 1]
    inside = np.clip(np.minimum(end, window[1]) - np.maximum(start, window[0]), 0.0, None)
    length = end - start
    placed = (start >= window[0]) & (end <= window[1])
    return np.where(length > 0, inside / np.where(length > 0, length, 1.0), placed.astype(float))


def rescale(
    features: np.ndarray, temporal_scale: int, *, extent: float | None = None, shift: float = 0.0
) -> np.ndarray:
    """Features [n, C] -> [T, C] by linear interpolation between the centres of their cells.

    extent: how many feature cells the video fills, n by default; less when the last clip reaches
    beyond the video's end (duration / seconds a feature). shift: how many cells after the video the
    first one begins; with one the extent may be larger, what lies outside the cells being the nearest.
    Raises BMNError for no features, or an extent outside (0, n].
    """
    count = len(features)
    span = float(count) if extent is None else float(extent)
    if count == 0 or not 0.0 < span or (not shift and span > count + 1e-6):
        raise BMNError(f"cannot rescale {count} features over an extent of {span} cells")
    centres = (np.arange(temporal_scale) + 0.5) * (span / temporal_scale) - 0.5 - shift
    return _interpolated(features, centres)


def _interpolated(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Features [n, C] at fractional row numbers [m], clamped to the first and the last: [m, C]."""
    last = len(features) - 1
    centres = np.clip(rows, 0.0, float(last))
    lower = np.floor(centres).astype(np.int64)
    upper = np.minimum(lower + 1, last)
    share = (centres - lower).astype(np.float32)[:, None]
    between: np.ndarray = features[lower] * (1 - share) + features[upper] * share
    return between


def fuse_windows(
    offsets: Sequence[int] | np.ndarray,
    start: np.ndarray | Tensor,
    end: np.ndarray | Tensor,
    confidence_map: np.ndarray | Tensor,
    mask: np.ndarray | Tensor,
    length: int,
) -> tuple[np.ndarray | Tensor, np.ndarray | Tensor, np.ndarray | Tensor]:
    """Average overlapping windows into the maps of the video (TAdaConv paper, Appendix A.2).

    offsets [W]: first position of each window
    start, end [W, T]: boundary probabilities of the windows
    confidence_map [W, C, D, T]: its two channels, and any others of the same cells (moves)
    mask [D, T]: 1 for valid cells; length L: of the video, in positions

    Returns start, end [L] and confidence_map [C, D, L]: sums over the windows that cover a position
    (for maps: with a valid cell there), divided by their number, 0 where there is none. Positions
    beyond L are dropped. Tensors give tensors on their device, arrays give arrays.
    Raises BMNError where the shapes do not fit together or a window begins outside the video.
    """
    maps = torch.as_tensor(confidence_map)
    parts = [torch.as_tensor(table).to(maps) for table in (start, end, mask)]
    begins = [int(offset) for offset in offsets]
    _check_windows(begins, parts, maps, length)
    channels, durations, scale = maps.shape[1:]
    # Rows: start, end, all maps; then how often each was covered.
    rows = torch.cat([parts[0][:, None], parts[1][:, None], (maps * parts[2]).flatten(1, 2)], 1)
    covers = torch.cat([torch.ones_like(parts[2][:1]), parts[2]])
    sums = maps.new_zeros(2 + channels * durations, max(begins) + scale)
    counts = maps.new_zeros(1 + durations, max(begins) + scale)
    for begin, window in zip(begins, rows, strict=True):
        sums[:, begin : begin + scale] += window
        counts[:, begin : begin + scale] += covers
    sums, counts = (functional.pad(table, (0, length))[:, :length] for table in (sums, counts))
    counts = counts.clamp(min=1)
    edges = sums[:2] / counts[0]
    fused = sums[2:].reshape(channels, durations, length) / counts[1:]
    if isinstance(confidence_map, Tensor):
        return edges[0], edges[1], fused
    return edges[0].numpy(), edges[1].numpy(), fused.numpy()


def _check_windows(begins: list[int], parts: list[Tensor], maps: Tensor, length: int) -> None:
    start, end, mask = parts
    fits = (
        maps.ndim == 4
        and maps.shape[1] >= 2
        and mask.shape == maps.shape[2:]
        and start.shape == end.shape == (len(maps), maps.shape[3])
        and len(begins) == len(maps) > 0
    )
    if not fits:
        raise BMNError(
            f"{len(begins)} offsets, start {tuple(start.shape)}, end {tuple(end.shape)}, "
            f"confidence_map {tuple(maps.shape)}, mask {tuple(mask.shape)} do not fit together"
        )
    if not all(0 <= begin < length for begin in begins):
        raise BMNError(f"window offsets {begins} must lie within the video's {length} positions")
