"""A video to features: every needed frame decoded and resized once, clips batched, network fed.

A thread decodes and resizes ahead through a short queue while the network works (both release the
interpreter lock); frames wait in a window no longer than the clips that still need them, so memory
does not grow with the video.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from feature_extraction.backbones.inference import PRECISIONS, InferenceNetwork, for_inference
from feature_extraction.read_ahead import CLOSING, FrameThread
from feature_extraction.sampling import ClipGrid
from feature_extraction.transforms import IMAGENET_MEAN, IMAGENET_STD, normalize


class ExtractionError(ValueError):
    """Features that cannot be made with these settings, or are not finite."""


def extract_features(
    model: nn.Module,
    path: str | os.PathLike[str],
    grid: ClipGrid,
    *,
    short_side: int,
    crop: int | None = None,
    batch_size: int = 4,
    device: str | torch.device = "cpu",
    precision: str = "float32",
    decoder: str = "auto",
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    allow_partial: bool = False,
    threads: int = 1,
    on_batch: Callable[[], None] | None = None,
    on_damage: Callable[[Sequence[tuple[float, float]]], None] | None = None,
) -> tuple[np.ndarray, float]:
    """Extract the features float32 [clips, C] of a video, and its duration in seconds.

    Appendix A.2: the network sees clips [B, 3, frames, H, W], the whole frame with its shorter
    side at `short_side` pixels, or its central square of `crop`. `model` is a backbone, or what
    `for_inference` made of one (for many videos, make it once; its own precision holds then).
    `precision` is "float32" or "bfloat16";
    `on_batch` is called after each batch, `on_damage` once where spans [seconds] did not decode or are
    missing (with `allow_partial`); `decoder`, `allow_partial` and `threads` are those of `open_video`.
    Raises VideoError, and ExtractionError for wrong settings or features that are not finite.
    """
    if precision not in PRECISIONS:
        raise ExtractionError(f"precision is {precision!r}, must be {' or '.join(PRECISIONS)}")
    if batch_size < 1:
        raise ExtractionError(f"batch size is {batch_size}, must be at least 1")
    options = {"crop": crop, "decoder": decoder, "allow_partial": allow_partial, "threads": threads}
    network = as_inference(model, precision).to(device)
    with FrameThread(path, grid, short_side, **options) as frames:
        clips = iter_clips(frames, grid, lambda: frames.duration)
        batches = iter(lambda: list(islice(clips, batch_size)), [])
        features = _gather(
            (
                clip_features(network, batch, batch_size, torch.device(device), mean, std)
                for batch in batches
            ),
            on_batch,
        )
    if frames.damaged and on_damage is not None:
        on_damage(frames.damaged)
    return _checked(path, features), frames.duration


def iter_clips(
    frames: Iterable[tuple[int, Tensor]], grid: ClipGrid, duration: Callable[[], float]
) -> Iterator[Tensor]:
    """Turn frames into the grid's clips uint8 [frames, 3, H, W], in order.

    `frames` gives (frame number, uint8 [3, H, W]) for every number of `grid.needed_frames()`
    before the end, ascending, and (CLOSING, frame) for the very last number; `duration` is asked
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


def as_inference(model: nn.Module, precision: str) -> InferenceNetwork:
    """The network ready to extract with; one that is already is left as it is."""
    if isinstance(model, InferenceNetwork):
        return model
    return for_inference(model, precision=precision)


def clip_features(
    network: InferenceNetwork,
    clips: list[Tensor],
    batch_size: int,
    device: torch.device,
    mean: Sequence[float],
    std: Sequence[float],
) -> np.ndarray:
    """Put up to `batch_size` clips uint8 [frames, 3, H, W] through the network: float32 [B, C]."""
    count = len(clips)
    if network.compiled:  # a size of its own for a last, smaller batch would be built for minutes
        clips = clips + clips[-1:] * (batch_size - count)
    with torch.no_grad():
        video = normalize(torch.stack(clips).to(device), mean, std)
        return network.features(video.transpose(1, 2))[:count].cpu().numpy()


def _gather(
    batches: Iterable[np.ndarray], on_batch: Callable[[], None] | None = None
) -> np.ndarray:
    """Join arrays [n, C] into one.

    One growing block, not a list of thousands of small arrays: those pin the heap between the
    batches' large buffers, and memory creeps up over a long video.
    """
    block, count = np.empty((0, 0), dtype=np.float32), 0
    for rows in batches:
        if count + len(rows) > len(block):
            grown = np.empty((2 * (count + len(rows)) + 256, rows.shape[1]), dtype=np.float32)
            grown[:count] = block[:count] if count else 0
            block = grown
        block[count : count + len(rows)] = rows
        count += len(rows)
        if on_batch is not None:
            on_batch()
    return block[:count].copy()


def _checked(path: str | os.PathLike[str], features: np.ndarray) -> np.ndarray:
    """Give the features back; raise ExtractionError where a value is NaN or infinite."""
    broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(broken):
        raise ExtractionError(
            f"{path}: the features of {len(broken)} of {len(features)} clips (first: clip "
            f"{broken[0]}) are not finite; check the weights, or use precision float32"
        )
    return features
