"""Videos [B, C, T, H, W] as frames [B*T, C, H, W], the frames of a clip one after the other; sizes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Pair = tuple[int, int]
Triple = tuple[int, int, int]


def to_frames(video: Tensor) -> Tensor:
    """[B, C, T, H, W] -> [B*T, C, H, W]."""
    return video.transpose(1, 2).flatten(0, 1)


def to_clips(frames: Tensor, length: int) -> Tensor:
    """[B*T, ...] of clips of `length` = T frames -> [B, T, ...]."""
    return torch.unflatten(frames, 0, (-1, length))


def to_video(frames: Tensor, length: int) -> Tensor:
    """[B*T, C, H, W] of clips of `length` = T frames -> [B, C, T, H, W]."""
    return to_clips(frames, length).transpose(1, 2)


def neighbours(frames: Tensor, length: int, taps: int, time_stride: int = 1) -> Tensor:
    """Every frame with those around it: [B*T, C, H, W] -> [B*T', C*taps, H, W].

    A channel's `taps` (odd) frames lie side by side, zeros beyond the clip's ends; T' counts every
    `time_stride`-th of the T frames, from the first.
    """
    padded = F.pad(to_clips(frames, length), (0,) * 6 + (taps // 2, taps // 2))
    around = padded.unfold(1, taps, time_stride)
    return around.permute(0, 1, 2, 5, 3, 4).flatten(2, 3).flatten(0, 1)


def pair(value: int | tuple[int, ...]) -> Pair:
    """A size of height and width: one number is both."""
    down, across = (value, value) if isinstance(value, int) else value
    return down, across


def triple(value: int | tuple[int, ...]) -> Triple:
    """A size of time, height and width: one number is all three."""
    over_time, down, across = (value, value, value) if isinstance(value, int) else value
    return over_time, down, across
