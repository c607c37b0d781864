"""Seconds and the feature grid; features of one length; training windows."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Window(NamedTuple):
    """Positions start to start + length of a video; segments [M, 2] on its own grid, kept int64 [M].

    `kept` are the places of the segments in the table they were taken from.
    """

    start: int
    length: int
    segments: Tensor
    kept: Tensor


def to_grid(seconds: Tensor, *, fps: float, stride: float, frames: float) -> Tensor:
    """Seconds -> grid units, any shape: one a feature, which spans `frames` every `stride` frames.

    Position 0 is the middle of the first feature.
    """
    return seconds * fps / stride - 0.5 * frames / stride


def to_seconds(
    grid: Tensor, *, fps: float, stride: float, frames: float, duration: float
) -> Tensor:
    """Grid units -> seconds, cut to [0, duration]: what is after the end is left without length."""
    return ((grid * stride + 0.5 * frames) / fps).clamp(0.0, duration)


def resize(features: Tensor, length: int, *, stride: float, frames: float) -> tuple[Tensor, float]:
    """Features [C, T] of a whole video resized linearly to [C, length], and their new stride.

    The stride is in frames, and is what a new feature spans too.
    """
    resized = functional.interpolate(features[None], size=length, mode="linear")[0]
    return resized, ((features.shape[1] - 1) * stride + frames) / length


def truncate(
    segments: Tensor, start: int, length: int, *, threshold: float, offset: float
) -> Window:
    """The segments [N, 2] (grid units) of a window, cut to it and counted from its start.

    The window is widened by `offset` (0.5 x frames / stride) at each end: the time its features
    see. A segment is kept if at least `threshold` of it lies within.
    """
    cut, share = _cut(segments, torch.tensor([start]), length, offset)
    kept = (share[0] >= threshold).nonzero().flatten()
    return Window(start, length, cut[0, kept], kept)


def draw_window(
    segments: Tensor,
    length: int,
    longest: int,
    *,
    threshold: float,
    offset: float,
    crop: tuple[float, float] = (0.9, 1.0),
    draws: int = 200,
    generator: torch.Generator | None = None,
) -> Window:
    """A random training window of a video of `length` positions with segments [N, 2] (grid units).

    It has `longest` positions; a shorter video gives a share of itself between the two of `crop`.
    The first of `draws` random starts at which a segment is kept (`truncate`) is taken, or the last.
    The whole of a video is given with its segments as they are.
    """
    size = longest
    if length <= longest:
        least, most = (min(max(round(part * length), 1), length) for part in crop)
        size = int(torch.randint(least, most + 1, (), generator=generator))
    if size == length:
        return Window(0, length, segments, torch.arange(len(segments)))
    starts = torch.randint(0, length - size + 1, (draws,), generator=generator)
    holds = (_cut(segments, starts, size, offset)[1] >= threshold).any(1)
    turn = int(holds.int().argmax()) if bool(holds.any()) else -1
    return truncate(segments, int(starts[turn]), size, threshold=threshold, offset=offset)


def _cut(segments: Tensor, starts: Tensor, length: int, offset: float) -> tuple[Tensor, Tensor]:
    """Segments [N, 2] cut to windows [W], from their starts: [W, N, 2]; the shares within [W, N]."""
    left = torch.maximum(segments[:, 0], starts[:, None] - offset)
    right = torch.minimum(segments[:, 1], starts[:, None] + length + offset)
    share = (right - left).clamp(min=0) / (segments[:, 1] - segments[:, 0])
    return torch.stack([left, right], dim=-1) - starts[:, None, None], share
