"""A video to features: every needed frame decoded and resized once, clips batched, network fed.

A thread decodes and resizes ahead through a short queue while the network works (both release the
interpreter lock); frames wait in a window no longer than the clips that still need them, so memory
does not grow with the video.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from feature_extraction.backbones.inference import PRECISIONS, InferenceNetwork, for_inference
from feature_extraction.clips import AskedMoments, asked_clips, iter_clips, stacked_on
from feature_extraction.lanes import in_lanes
from feature_extraction.read_ahead import FrameThread
from feature_extraction.sampling import ClipGrid, Moments
from feature_extraction.transforms import IMAGENET_MEAN, IMAGENET_STD, normalize

Heartbeat = Callable[[], None]
PathLike = str | os.PathLike[str]


class ExtractionError(ValueError):
    """Features that cannot be made with these settings, or are not finite."""


class VideoFeatures(NamedTuple):
    """Features float32 [clips, C] of a video, its seconds, and damaged spans (only with `allow_partial`)."""

    features: np.ndarray
    duration: float
    damaged: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Extractor:
    """A network, and everything that decides what it sees of a video (Appendix A.2).

    network: of `feature_extraction.backbones.for_inference`; it sees clips [B, 3, frames, H, W]
    short_side: shorter side of the whole frame in pixels; crop: side of its central square that is seen
    batch_size: clips at once. Features may differ with it in the last digits, so it belongs to a result.
    device: of the network and of "nvdec"; mean, std: colours in [0, 1] become (colour - mean) / std
    decoder, allow_partial, threads: as for `open_video`; lanes: batches at once, which changes no digit.
    Raises ExtractionError for a batch size below 1.

        extractor = Extractor(for_inference(model), ClipGrid(30, 8, 8, 16), short_side=256)
        features, duration, damaged = extractor.video("video.mp4")
        features = extractor.at("video.mp4", np.array([1.5, 20.0]))
    """

    network: InferenceNetwork
    grid: ClipGrid
    _: KW_ONLY
    short_side: int
    crop: int | None = None
    batch_size: int = 4
    device: str | torch.device = "cpu"
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    decoder: str = "auto"
    allow_partial: bool = False
    threads: int = 1
    lanes: int = 1

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ExtractionError(f"batch size is {self.batch_size}, must be at least 1")
        self.network.to(self.device)

    def video(self, path: PathLike, *, heartbeat: Heartbeat | None = None) -> VideoFeatures:
        """Features of all clips of a video; `heartbeat` is called after each batch.

        Raises VideoError, and ExtractionError for features that are not finite.
        """
        with self._frames(path, self.grid) as frames:
            clips = iter_clips(frames, self.grid, lambda: frames.duration)
            features = self._feed(clips, heartbeat)
        return VideoFeatures(_checked(path, features), frames.duration, tuple(frames.damaged))

    def at(
        self, path: PathLike, centers: np.ndarray, *, heartbeat: Heartbeat | None = None
    ) -> np.ndarray:
        """Features float32 [n, C] of clips centred on `centers` [n] seconds, in any order.

        At a cell's centre they are those of the grid's clip. `heartbeat` is called after each batch.
        Raises VideoError, and ExtractionError for features that are not finite.
        """
        asked = AskedMoments(self.grid, np.asarray(centers, dtype=np.float64))
        numbers: list[int] = []

        def clips(frames: FrameThread) -> Iterator[Tensor]:
            for number, clip in asked_clips(frames, asked):
                numbers.append(number)
                yield clip

        with self._frames(path, asked) as frames:
            made = self._feed(clips(frames), heartbeat)
        return _checked(path, made[np.argsort(numbers)])

    def _frames(self, path: PathLike, moments: Moments) -> FrameThread:
        return FrameThread(
            path,
            moments,
            self.short_side,
            crop=self.crop,
            decoder=self.decoder,
            allow_partial=self.allow_partial,
            threads=self.threads,
            device=self.device,
        )

    def _feed(self, clips: Iterator[Tensor], heartbeat: Heartbeat | None) -> np.ndarray:
        """Features float32 [n, C] of clips uint8 [frames, 3, H, W], in their order."""
        batches = iter(lambda: list(islice(clips, self.batch_size)), [])
        lanes = 1 if self.network.compiled else self.lanes  # compiled, it is for one thread
        return _gather(in_lanes(self._batch_features, batches, lanes), heartbeat)

    def _batch_features(self, clips: list[Tensor]) -> np.ndarray:
        """Features float32 [B, C] of up to `batch_size` clips uint8 [frames, 3, H, W]."""
        count = len(clips)
        if self.network.compiled:  # a smaller batch would be built for minutes
            clips = clips + clips[-1:] * (self.batch_size - count)
        with torch.no_grad():
            video = normalize(stacked_on(clips, self.device), self.mean, self.std)
            return self.network.features(video.transpose(1, 2))[:count].cpu().numpy()


def extract_features(
    model: nn.Module,
    path: PathLike,
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
    on_batch: Heartbeat | None = None,
    on_damage: Callable[[Sequence[tuple[float, float]]], None] | None = None,
) -> tuple[np.ndarray, float]:
    """Extract the features float32 [clips, C] of a video, and its duration in seconds.

    model: a backbone, which runs in `precision` ("float32", "bfloat16"), or a network from `for_inference`
    on_batch: called after each batch; on_damage: called with the damaged spans, if there are any
    """
    found = Extractor(
        _as_inference(model, precision),
        grid,
        short_side=short_side,
        crop=crop,
        batch_size=batch_size,
        device=device,
        mean=mean,
        std=std,
        decoder=decoder,
        allow_partial=allow_partial,
        threads=threads,
    ).video(path, heartbeat=on_batch)
    if found.damaged and on_damage is not None:
        on_damage(found.damaged)
    return found.features, found.duration


def features_at(
    model: nn.Module,
    path: PathLike,
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
    on_batch: Heartbeat | None = None,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> np.ndarray:
    """Features float32 [n, C] of clips centred on `centers` [n] seconds (Appendix A.2, Classification).

    `Extractor.at` in one call; the options are those of `extract_features`.
    """
    return Extractor(
        _as_inference(model, precision),
        grid,
        short_side=short_side,
        crop=crop,
        batch_size=batch_size,
        device=device,
        mean=mean,
        std=std,
        decoder=decoder,
        allow_partial=allow_partial,
    ).at(path, centers, heartbeat=on_batch)


def _as_inference(model: nn.Module, precision: str) -> InferenceNetwork:
    """The network ready to extract with; one that is already is left as it is."""
    if precision not in PRECISIONS:
        raise ExtractionError(f"precision is {precision!r}, must be {' or '.join(PRECISIONS)}")
    if isinstance(model, InferenceNetwork):
        return model
    return for_inference(model, precision=precision)


def _gather(batches: Iterable[np.ndarray], heartbeat: Heartbeat | None = None) -> np.ndarray:
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
        if heartbeat is not None:
            heartbeat()
    return block[:count].copy()


def _checked(path: PathLike, features: np.ndarray) -> np.ndarray:
    """Give the features back; raise ExtractionError where a value is NaN or infinite."""
    broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(broken):
        raise ExtractionError(
            f"{path}: the features of {len(broken)} of {len(features)} clips (first: clip "
            f"{broken[0]}) are not finite; check the weights, or use precision float32"
        )
    return features
