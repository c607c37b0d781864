"""ActionFormer's samples: a part of each training video, drawn again in every epoch, or a whole video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from actionformer.grids import Window, draw_window
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.data.batches import no_features_without, read_batches, stacked
from pipeline.data.features.store import FeatureStore
from pipeline.data.order import TrainingPlan, full_batches, numbered
from pipeline.data.sequences.grids import position_rows
from pipeline.data.sequences.holding import Sample
from pipeline.data.sequences.learning import padded_length, targets_of, valid_points
from pipeline.data.windows.positions import positions
from pipeline.processes import distributed
from pipeline.seeds import step_seed

_REFUSE = no_features_without("actionformer")
_WHOLE = (1.0, 1.0)  # the share of a video that is trained on where nothing is cropped


def sequence_batches(
    store: FeatureStore,
    settings: ActionFormerSettings,
    samples: Sequence[Sample],
    sizes: Sequence[int],
    *,
    workers: int,
    epoch: int,
    step: int,
) -> Iterator[dict[str, Any]]:
    """Batches of videos from a position of the training to its end, in an unbroken run's order.

    What is seen of a video follows from (seed, epoch, number of the video), whatever came before. `sizes` are the
    numbers of classes. Of the whole batch of all processes each sample gets how many points learn a
    segment (`positives`), how many `samples` there are, and whether it is of the `last` piece.
    """
    plan = TrainingPlan(
        lambda number: epoch_videos(len(samples), settings, number),
        numbered,
        epochs=settings.epochs,
        pieces=settings.gradient_accumulation,
        epoch=epoch,
        step=step,
    )
    sequences = _Sequences(store, settings, samples, sizes)
    read = read_batches(sequences, plan, stacked, workers=workers, lost=_REFUSE)
    for batch in read:
        places = plan.places()
        own = (int(batch["positive"].sum()), len(places))
        positives, count = map(sum, zip(*distributed.gather_values(own), strict=True))
        last = [place == places[-1] for place in places]
        told = {"positives": [positives] * len(places), "samples": [count] * len(places)}
        yield batch | told | {"pieces": places, "last": last}


def whole_sequences(
    store: FeatureStore,
    settings: ActionFormerSettings,
    samples: Sequence[Sample],
    sizes: Sequence[int],
    plan: Sequence[int],
    *,
    workers: int,
) -> Iterator[dict[str, Any]]:
    """The whole videos of these numbers, a batch each."""
    sequences = _Sequences(store, settings, samples, sizes)
    keys = [[(None, number)] for number in plan]
    yield from read_batches(sequences, keys, stacked, workers=workers, lost=_REFUSE)


def epoch_videos(count: int, settings: ActionFormerSettings, epoch: int) -> list[list[int]]:
    """Numbers of the videos of an epoch's batches."""
    return full_batches(count, settings.batch_size, settings.seed, epoch)


class _Sequences:
    """The samples of a training; files are opened where they are read.

    A key is (epoch, number of the video), which draws what is seen of it; without an epoch it is all.
    """

    def __init__(
        self,
        store: FeatureStore,
        settings: ActionFormerSettings,
        samples: Sequence[Sample],
        sizes: Sequence[int],
    ) -> None:
        self._store, self._settings = store, settings
        self._samples, self._sizes = samples, sizes

    def video(self, key: tuple[int | None, int]) -> str:
        return self._samples[key[1]].video

    def __getitem__(self, key: tuple[int | None, int]) -> dict[str, Any]:
        epoch, number = key
        sample = self._samples[number]
        segments = torch.from_numpy(sample.segments)
        window = Window(0, sample.length, segments, torch.arange(len(segments)))
        if epoch is not None:
            window = drawn(sample, self._settings, epoch, number)
        return sequence_sample(self._store, self._settings, sample, window, self._sizes)


def drawn(sample: Sample, settings: ActionFormerSettings, epoch: int, number: int) -> Window:
    """What is seen of a training video in an epoch, as (seed, epoch, number) alone has it.

    Of a video longer than `max_length` so many positions, else a share of `crop_ratio`; places are drawn until
    one holds a segment.
    """
    generator = torch.Generator().manual_seed(step_seed(settings.seed, 12, epoch, number))
    return draw_window(
        torch.from_numpy(sample.segments),
        sample.length,
        settings.max_length,
        threshold=settings.min_inside,
        offset=sample.reach,
        crop=settings.crop_ratio or _WHOLE,
        generator=generator,
    )


def sequence_sample(
    store: FeatureStore,
    settings: ActionFormerSettings,
    sample: Sample,
    window: Window,
    sizes: Sequence[int],
) -> dict[str, Any]:
    """A part of a video, padded to T: features [C, T], mask [T] and the targets of its P points.

    classes uint8 [P, K], offsets [P, 2] and positive [P], which is never so in the padding; `names` is its video.
    """
    rows = _rows(store, settings, sample, window)
    length = padded_length(len(rows), settings)
    classes = sample.classes[window.kept.numpy()]
    targets = targets_of(window.segments.numpy(), classes, length, settings, sizes)
    valid = valid_points(len(rows), length, settings.levels)
    return {
        "features": functional.pad(torch.from_numpy(rows.T), (0, length - len(rows))),
        "mask": torch.arange(length) < len(rows),
        "classes": targets.classes.to(torch.uint8),
        "offsets": targets.offsets,
        "positive": targets.positive & valid,
        "names": sample.video,
    }


def _rows(
    store: FeatureStore, settings: ActionFormerSettings, sample: Sample, window: Window
) -> np.ndarray:
    """A part's positions [L, C]; of a long video no more than the part is read."""
    first, stop = window.start, window.start + window.length
    if settings.mode == "rescale":
        return position_rows(store(sample.video), settings)[first:stop]
    step = settings.feature_step
    return positions(store(sample.video, slice(first * step, stop * step)).array, settings)
