"""Frames into clips: those of a grid, in order, and those at asked moments, as they are complete.

Frames come from one pass over a video, ascending in time; they wait here no longer than a clip still
needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from feature_extraction.read_ahead import CLOSING
from feature_extraction.sampling import ClipGrid


@dataclass(frozen=True, eq=False)
class AskedMoments:
    """Clips with the frames and the interval of `grid`, centred on `centers` [n] seconds.

    Their frames are numbered clip after clip: frame p of clip i is i * grid.frames + p.
    """

    grid: ClipGrid
    centers: np.ndarray

    @property
    def fps(self) -> float:
        """The grid's frames per second: the video's last frame is that of the grid."""
        return self.grid.fps

    def needed_times(self) -> Iterator[tuple[int, float]]:
        """Number and seconds of every clip's frames, ascending in time; none before the video."""
        times = self.grid.times_around(self.centers).clip(min=0).ravel()
        order = np.argsort(times, kind="stable")
        yield from zip(order.tolist(), times[order].tolist(), strict=True)


def stacked_on(clips: Sequence[Tensor], device: str | torch.device) -> Tensor:
    """Clips in one tensor on a device; to a GPU they go through pinned memory, and the copy is not waited for."""
    if torch.device(device).type != "cuda" or clips[0].is_cuda:
        return torch.stack(list(clips)).to(device)
    shape = (len(clips), *clips[0].shape)
    pinned = torch.empty(shape, dtype=clips[0].dtype, pin_memory=True)
    return torch.stack(list(clips), out=pinned).to(device, non_blocking=True)


def iter_clips(
    frames: Iterable[tuple[int, Tensor]], grid: ClipGrid, duration: Callable[[], float]
) -> Iterator[Tensor]:
    """Turn frames into the grid's clips uint8 [frames, 3, H, W], in order.

    `frames` gives (frame number, uint8 [3, H, W]) for every number of `grid.needed_frames()`
    before the end, ascending, and (CLOSING, frame) for the last number; `duration` is asked
    for the seconds of the video after that. Frames no later clip needs are let go.
    """
    window: dict[int, Tensor] = {}
    clip = 0
    wanted = grid.frame_indices(clip)
    closing: Tensor | None = None
    for index, frame in frames:
        if index == CLOSING:
            closing = frame
            continue
        window[index] = frame
        while wanted[-1] <= index:
            yield torch.stack([window[max(0, k)] for k in wanted.tolist()])
            clip += 1
            wanted = grid.frame_indices(clip)
            for old in [k for k in window if k < wanted[0]]:
                del window[old]
    seconds = duration()
    last = grid.last_frame(seconds)
    if closing is not None:
        window[last] = closing
    for late in range(clip, grid.num_clips(seconds)):
        yield torch.stack([window[k] for k in grid.clip_indices(late, last).tolist()])


def asked_clips(
    frames: Iterable[tuple[int, Tensor]], asked: AskedMoments
) -> Iterator[tuple[int, Tensor]]:
    """Turn frames into (number, clip uint8 [frames, 3, H, W]), each clip as soon as it is complete.

    `frames` gives (frame number, uint8 [3, H, W]) in the order of `asked.needed_times()` before the
    end of the video, then (CLOSING, frame), which stands for all that come after it.
    """
    length = asked.grid.frames
    waiting: dict[int, dict[int, Tensor]] = {}
    todo = dict.fromkeys(range(len(asked.centers)))
    frame = torch.empty(0)
    for place, frame in frames:
        if place == CLOSING:
            break
        number, position = divmod(place, length)
        waiting.setdefault(number, {})[position] = frame
        if len(waiting[number]) == length:
            clip = waiting.pop(number)
            yield number, torch.stack([clip[k] for k in range(length)])
            del todo[number]
    for number in todo:
        clip = waiting.pop(number, {})
        yield number, torch.stack([clip.get(k, frame) for k in range(length)])
