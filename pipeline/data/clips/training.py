"""Training clips of trimmed segments: read in worker processes, one clip a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor

from feature_extraction.sampling import segment_clip_times
from feature_extraction.transforms import train_transform
from feature_extraction.video.reader import Picture, Reader, VideoError
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.data.batches import Collate, Samples, read_batches
from pipeline.data.clips.augmentation import augmented, load_augmentation
from pipeline.data.clips.balance import clip_numbers
from pipeline.data.clips.geometry import interval_times, training_crop
from pipeline.data.clips.segments import Segments, span_of
from pipeline.data.clips.sharing import together, trimmed, with_clips_for_all
from pipeline.data.kept_readers import KeptReaders
from pipeline.data.order import TrainingPlan, epoch_order, grouped_order
from pipeline.data.videos.damage import sound_clip, unread
from pipeline.data.videos.left_out import LeftOut
from pipeline.seeds import step_seed

Key = tuple[int, int, int | None]  # epoch, clip number, short side of a batch of whole frames


class Clips:
    """One training clip of a segment: uint8 [T, 3, H, W] with its class indices.

    Keys are (epoch, number, short side): segment `number % n`, of which an epoch may take several clips;
    a short side of None is drawn. A key's clip depends on the key and the seed alone, so it does not
    matter which worker reads it, or when. Videos in `given_up` (why, by id) are not opened.
    """

    def __init__(
        self,
        segments: Segments,
        settings: FinetuneSettings,
        given_up: Mapping[str, str] | None = None,
        decoder: str = "auto",
    ) -> None:
        self._segments, self._settings, self._decoder = segments, settings, decoder
        self._given_up = {} if given_up is None else given_up
        self._readers = KeptReaders()

    def close(self) -> None:
        """Close the videos that this process read last."""
        self._readers.close()

    def video(self, key: Key) -> str:
        """The video of a key's segment."""
        return self._segments.videos[key[1] % len(self._segments)]

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, number, side = key
        segments = self._segments
        index = number % len(segments)
        name = segments.videos[index]
        if name in self._given_up:
            return {"name": name, "error": self._given_up[name]}
        target = segments.targets[index]
        flip = self._settings.flip
        if segments.mirrored is not None:
            # The mirror image of one class is another: whether it is mirrored must be known here.
            drawn = torch.Generator().manual_seed(step_seed(self._settings.seed, 8, epoch, number))
            flip = float(torch.rand((), generator=drawn) < flip)
            target = segments.mirrored[target] if flip else target
        try:
            clip = self._read(epoch, number, index, flip, side)
        except (VideoError, OSError) as error:
            return {"name": name} | unread(error, segments.takes_parts)
        clip = augmented(clip, self._settings, epoch, number)
        return {"clip": clip, "target": target, "name": name}

    def _read(self, epoch: int, number: int, index: int, flip: float, side: int | None) -> Tensor:
        settings, segments = self._settings, self._segments
        generator = torch.Generator().manual_seed(step_seed(settings.seed, 7, epoch + 1, number))
        by_parts = settings.sampling == "segments"
        # drawn before anything is read: a reader may be asked twice
        places = torch.rand(settings.frames if by_parts else 1, generator=generator).numpy()

        def frames_of(reader: Reader) -> Picture:
            start, end = span_of(segments, index, reader)
            if by_parts:
                times = segment_clip_times(start, end, places=places)
            else:
                fps = segments.rate(index, reader)
                times = interval_times(settings, start, end, float(places[0]), fps)
            return sound_clip(reader, times.tolist())

        path = segments.paths[segments.videos[index]]
        frames = torch.from_numpy(self._readers.read(path, frames_of, self._decoder))
        frames = frames.permute(0, 3, 1, 2)
        return train_transform(
            frames,
            short_side_range=settings.short_side if side is None else (side, side),
            crop=training_crop(settings),
            flip=flip,
            generator=generator,
        )


def clip_batches(
    segments: Segments,
    settings: FinetuneSettings,
    left_out: LeftOut,
    *,
    workers: int,
    epoch: int,
    step: int,
) -> Iterator[dict[str, Any]]:
    """Batches from a position of the training to its end, in the order an unbroken run has."""

    def keys(number: int, place: int, indices: list[int]) -> list[Key]:
        side = _shared_side(settings, number, place)
        return [(number, index, side) for index in indices]

    plan = TrainingPlan(
        lambda number: epoch_clips(segments, settings, number),
        keys,
        epochs=settings.epochs,
        pieces=settings.gradient_accumulation,
        epoch=epoch,
        step=step,
    )
    load_augmentation(settings)
    with closing(Clips(segments, settings, left_out.given_up)) as clips:
        for batch_read in load_clips(clips, _collate, plan, left_out, workers):
            numbers = plan.places()
            batch_read["pieces"] = [numbers[place] for place in batch_read.pop("places")]
            shared = with_clips_for_all(batch_read, settings.gradient_accumulation)
            if settings.crop == "whole":
                shared["clip"] = trimmed(shared["clip"])
            yield shared


def epoch_clips(segments: Segments, settings: FinetuneSettings, epoch: int) -> list[list[int]]:
    """Clip numbers of an epoch's batches; each segment gives `clips_per_segment` clips.

    With `balance`, more or fewer. A last batch of a single clip gives batch norm almost nothing:
    it joins the one before. Clips of whole frames share a batch with those of their shape.
    """
    numbers, size = clip_numbers(segments, settings, epoch), settings.batch_size
    if segments.shapes is not None:
        shapes = segments.shapes[numbers % len(segments)]
        order = grouped_order(shapes, size, settings.seed, epoch)
    else:
        order = epoch_order(len(numbers), size, settings.seed, epoch)
        if len(order) > 1 and len(order[-1]) == 1:
            order[-2:] = [order[-2] + order[-1]]
    return [numbers[batch].tolist() for batch in order]


def _shared_side(settings: FinetuneSettings, epoch: int, place: int) -> int | None:
    """The short side of a batch of whole frames, which must be of one size; None: each clip draws its own."""
    if settings.crop != "whole":
        return None
    generator = torch.Generator().manual_seed(step_seed(settings.seed, 9, epoch, place))
    low, high = settings.short_side
    return int(torch.randint(low, high + 1, (), generator=generator))


def load_clips(
    samples: Samples,
    collate: Collate,
    plan: Iterable[Sequence[Any]],
    left_out: LeftOut,
    workers: int,
) -> Iterator[dict[str, Any]]:
    """Batches of `plan`; their unreadable samples are counted and left out, and one may be empty."""
    for batch in read_batches(samples, plan, collate, workers=workers, lost=left_out.give_up):
        for video, reason in batch.pop("errors"):
            left_out.failed(video, reason)
        for video, reason in batch.pop("damaged"):
            left_out.damaged(video, reason)
        yield batch


def _collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    samples, batch = common(samples)
    if samples:
        batch["clip"] = together([sample["clip"] for sample in samples])
    return batch


def common(samples: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The samples that could be read, and what a batch of them has whatever their clips are.

    `places`: which of the given ones they were.
    """
    errors = [(sample["name"], sample["error"]) for sample in samples if "error" in sample]
    damaged = [(sample["name"], sample["damaged"]) for sample in samples if "damaged" in sample]
    unread = {"error", "damaged"}
    places = [place for place, sample in enumerate(samples) if not unread & sample.keys()]
    samples = [samples[place] for place in places]
    batch: dict[str, Any] = {"errors": errors, "damaged": damaged}
    batch["names"] = [sample["name"] for sample in samples]
    batch["places"] = places
    if samples:
        batch["target"] = torch.from_numpy(np.stack([sample["target"] for sample in samples]))
    return samples, batch
