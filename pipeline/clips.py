"""Trimmed segments as clips for the classifier: read in worker processes, one clip a sample."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from feature_extraction.sampling import segment_clip_times, training_clip_times
from feature_extraction.transforms import eval_transform, train_transform
from feature_extraction.video import Reader, VideoError, open_video
from pipeline.config import Finetune
from pipeline.errors import UserError
from pipeline.optimisation import epoch_order, step_seed
from pipeline.progress import say
from pipeline.ranks import own_part
from pipeline.videos import Source


@dataclass(frozen=True)
class Segments:
    """Segments to read clips of: times in seconds, class indices [n, heads] and video files."""

    videos: Sequence[str]
    starts: np.ndarray
    ends: np.ndarray
    targets: np.ndarray
    paths: Mapping[str, Source]
    mirrored: np.ndarray | None = None  # the class each class is in the mirror

    def __len__(self) -> int:
        return len(self.videos)


def digest(segments: Segments) -> str:
    """What tells one list of training segments from another."""
    state = hashlib.sha256("\0".join(segments.videos).encode())
    for table in (segments.starts, segments.ends, segments.targets):
        state.update(np.ascontiguousarray(table).tobytes())
    return state.hexdigest()


def make_segments(rows: pd.DataFrame, targets: np.ndarray, paths: Mapping[str, Source]) -> Segments:
    """Segments of an annotation table whose videos were found."""
    keep = rows["video"].isin(list(paths)).to_numpy()
    rows = rows[keep]
    return Segments(
        rows["video"].tolist(),
        rows["start"].to_numpy(float),
        rows["end"].to_numpy(float),
        targets[keep],
        dict(paths),
    )


class Clips(TorchDataset):
    """One clip of a segment: uint8 [T, 3, H, W] with its class indices.

    Keys are (epoch, number): segment `number % n`, of which an epoch may take several clips; epoch -1 is
    evaluation (centred clip, centre crop). A key's clip depends on the key and the seed alone, so it
    does not matter which worker reads it, or when.
    """

    def __init__(self, segments: Segments, settings: Finetune, decoder: str = "auto") -> None:
        self._segments, self._settings, self._decoder = segments, settings, decoder

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, number = key
        segments = self._segments
        index = number % len(segments)
        name = segments.videos[index]
        target = segments.targets[index]
        flip = self._settings.flip
        if epoch >= 0 and segments.mirrored is not None:
            # The mirror image of one class is another: whether it is mirrored must be known here.
            drawn = torch.Generator().manual_seed(step_seed(self._settings.seed, 8, epoch, number))
            flip = float(torch.rand((), generator=drawn) < flip)
            target = segments.mirrored[target] if flip else target
        try:
            clip = self._read(epoch, number, index, flip)
        except (VideoError, OSError) as error:
            # Errors travel as values: a worker's exception would reach the user as a traceback.
            return {"name": name, "error": str(error)}
        return {"clip": clip, "target": target, "name": name}

    def _read(self, epoch: int, number: int, index: int, flip: float) -> Tensor:
        settings, segments = self._settings, self._segments
        generator = torch.Generator().manual_seed(step_seed(settings.seed, 7, epoch + 1, number))
        with open_video(segments.paths[segments.videos[index]], self._decoder) as reader:
            start, end = span_of(segments, index, reader)
            if settings.sampling == "segments":
                places = np.full(settings.frames, 0.5)
                if epoch >= 0:
                    places = torch.rand(settings.frames, generator=generator).numpy()
                times = segment_clip_times(start, end, places=places)
            else:
                offset = float(torch.rand((), generator=generator)) if epoch >= 0 else 0.5
                times = interval_times(settings, start, end, offset)
            frames = torch.from_numpy(reader.clip(times)).permute(0, 3, 1, 2)
        if epoch < 0:
            return eval_transform(frames, short_side=settings.eval_short_side, crop=settings.crop)
        return train_transform(
            frames,
            short_side_range=settings.short_side,
            crop=settings.crop,
            flip=flip,
            generator=generator,
        )


def span_of(segments: Segments, index: int, reader: Reader) -> tuple[float, float]:
    """Seconds a segment runs from and to; of a trimmed file that is all of it."""
    start, end = float(segments.starts[index]), float(segments.ends[index])
    if math.isfinite(end):
        return start, end
    if reader.info.duration is None:
        for _ in reader.frames_at([math.inf]):
            pass
        return start, float(reader.end_time)
    return start, reader.info.duration


def interval_times(settings: Finetune, start: float, end: float, offset: float) -> np.ndarray:
    """Seconds [frames] of a clip of frames at a fixed interval."""
    return training_clip_times(
        start,
        end,
        fps=settings.fps,
        frames=settings.frames,
        interval=settings.interval,
        offset=offset,
    )


def mirrored_classes(names: Sequence[str]) -> np.ndarray:
    """The class each class is in the mirror: the one with left and right exchanged, else itself."""
    numbers = {name: number for number, name in enumerate(names)}
    swapped = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}

    def mirror(name: str) -> str:
        return re.sub(r"\b(left|right)\b", lambda m: swapped[m[0]], name, flags=re.IGNORECASE)

    return np.array([numbers.get(mirror(name), number) for name, number in numbers.items()])


class Unreadable:
    """The videos that could not be read, with why; UserError once there are more than `allowed`."""

    def __init__(self, allowed: int, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        self._allowed = allowed

    def note(self, video: str, reason: str) -> None:
        """Count a video once; its clips are left out of their batches."""
        if video in self.reasons:
            return
        self.reasons[video] = reason
        self._check(video, reason)
        say(f"finetune: video {video} is left out: {reason}", anyone=True)

    def merge(self, others: Sequence[Mapping[str, str]]) -> None:
        """Take in what other processes could not read."""
        for reasons in others:
            self.reasons |= reasons
        if self.reasons:
            self._check(*next(reversed(self.reasons.items())))

    def _check(self, video: str, reason: str) -> None:
        if len(self.reasons) > self._allowed:
            raise UserError(
                f"video {video}: {reason}; mend it, or go on without with "
                f"--allow-failures {len(self.reasons)}"
            )


def training_batches(
    segments: Segments,
    settings: Finetune,
    unreadable: Unreadable,
    *,
    workers: int,
    epoch: int,
    step: int,
) -> Iterator[dict[str, Any]]:
    """Batches from a position of the training to its end, in the order an unbroken run has."""
    plan = []
    for number in range(epoch, settings.epochs):
        order = epoch_batches(len(segments), settings, number)
        plan += [[(number, index) for index in own_part(batch)] for batch in order[step:]]
        step = 0
    yield from _load(segments, settings, plan, unreadable, workers)


def epoch_batches(count: int, settings: Finetune, epoch: int) -> list[list[int]]:
    """Clip numbers of an epoch's batches; each segment gives `clips_per_segment` clips.

    A last batch of a single clip gives batch norm next to nothing: it joins the one before.
    """
    clips = count * settings.clips_per_segment
    order = epoch_order(clips, settings.batch_size, settings.seed, epoch)
    if len(order) > 1 and len(order[-1]) == 1:
        order[-2:] = [order[-2] + order[-1]]
    return order


def evaluation_batches(
    segments: Segments, settings: Finetune, unreadable: Unreadable, *, workers: int
) -> Iterator[dict[str, Any]]:
    """Every segment of this process's part once: the clip at its centre."""
    size = settings.batch_size
    keys = [(-1, index) for index in own_part(range(len(segments)))]
    plan = [keys[at : at + size] for at in range(0, len(keys), size)]
    yield from _load(segments, settings, plan, unreadable, workers)


def _load(
    segments: Segments,
    settings: Finetune,
    plan: list[list[tuple[int, int]]],
    unreadable: Unreadable,
    workers: int,
) -> Iterator[dict[str, Any]]:
    loader = DataLoader(
        Clips(segments, settings),
        batch_sampler=plan,
        num_workers=min(workers, len(plan)),
        pin_memory=torch.cuda.is_available(),
        collate_fn=_collate,
        # Workers only decode; forking them is cheap, and no reader is open in this process.
        multiprocessing_context="fork" if workers and len(plan) else None,
    )
    for batch in loader:
        for video, reason in batch.pop("errors"):
            unreadable.note(video, reason)
        if not batch["names"]:
            raise UserError("finetune: no clip of a whole batch could be read; mend the videos")
        yield batch


def _collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    errors = [(sample["name"], sample["error"]) for sample in samples if "error" in sample]
    samples = [sample for sample in samples if "error" not in sample]
    if not samples:
        return {"names": [], "errors": errors}
    return {
        "errors": errors,
        "clip": torch.stack([sample["clip"] for sample in samples]),
        "target": torch.from_numpy(np.stack([sample["target"] for sample in samples])),
        "names": [sample["name"] for sample in samples],
    }
