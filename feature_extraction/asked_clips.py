"""Features of clips at any asked moments of a video, decoded in one sequential pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from feature_extraction.extractor import ExtractionError, as_inference, clip_features
from feature_extraction.sampling import ClipGrid
from feature_extraction.transforms import IMAGENET_MEAN, IMAGENET_STD, eval_transform, to_tensor
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import Reader


def features_at(
    model: nn.Module,
    path: str | os.PathLike[str],
    centers: np.ndarray,
    grid: ClipGrid,
    *,
    short_side: int,
    crop: int | None = None,
    batch_size: int = 4,
    device: str | torch.device = "cpu",
    precision: str = "float32",
    decoder: str = "auto",
    allow_partial: bool = False,
    on_batch: Callable[[], None] | None = None,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> np.ndarray:
    """Features float32 [n, C] of clips centred on `centers` [n] seconds (Appendix A.2, Classification).

    The clips have the frames and the interval of `grid`, the whole frame with its shorter side at
    `short_side` pixels, or its central square of `crop`; `model` is in eval mode on `device`;
    `on_batch` is called after each batch, `decoder` and `allow_partial` are those of `open_video`.
    Raises VideoError, and ExtractionError for features that are not finite.
    """
    centers = np.asarray(centers, dtype=np.float64)
    features = np.empty((len(centers), 0), np.float32)
    network = as_inference(model, precision).to(device)
    with open_video(path, decoder, allow_partial=allow_partial) as reader:
        clips = asked_clips(reader, centers, grid, short_side, crop)
        while batch := list(islice(clips, batch_size)):
            numbers = [number for number, _ in batch]
            made = clip_features(
                network, [clip for _, clip in batch], batch_size, torch.device(device), mean, std
            )
            if not features.shape[1]:
                features = np.empty((len(centers), made.shape[1]), np.float32)
            features[numbers] = made
            if on_batch is not None:
                on_batch()
    if not np.isfinite(features).all():
        raise ExtractionError(f"{path}: features hold NaN or infinite values")
    return features


def asked_clips(
    reader: Reader, centers: np.ndarray, grid: ClipGrid, short_side: int, crop: int | None = None
) -> Iterator[tuple[int, Tensor]]:
    """Give (number, clip uint8 [frames, 3, h, w]) for every centre, each as soon as it is complete.

    Each needed frame is decoded and resized once; frames outside the video are its first or last.
    """
    times = grid.times_around(centers).clip(min=0)
    order = np.argsort(times, axis=None, kind="stable")
    clips: dict[int, list[Tensor | None]] = {}
    missing = np.full(len(times), grid.frames)
    last: tuple[np.ndarray, Tensor] | None = None
    for place, frame in reader.frames_at(times.ravel()[order], final_fps=grid.fps):
        if last is None or last[0] is not frame:
            seen = eval_transform(to_tensor(frame[None]), short_side=short_side, crop=crop)
            last = frame, seen[0]
        if place < 0:
            break
        number, position = divmod(int(order[place]), grid.frames)
        clips.setdefault(number, [None] * grid.frames)[position] = last[1]
        missing[number] -= 1
        if not missing[number]:
            yield number, torch.stack(clips.pop(number))
    for number in np.flatnonzero(missing).tolist():
        frames = clips.pop(number, [None] * grid.frames)
        yield number, torch.stack([last[1] if frame is None else frame for frame in frames])
