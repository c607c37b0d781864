"""The samples whose loss chooses the epoch of a detector's training that is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import pandas as pd

from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import Dataset, training_rows
from pipeline.data.features.store import FeatureStore
from pipeline.data.hold_out import chooses_epoch, chosen_by, nothing_to_choose_by
from pipeline.data.videos.left_out import LeftOut
from pipeline.progress import say


class OfVideo(Protocol):
    """A sample: a part of a video, or all of it."""

    @property
    def video(self) -> str: ...


Sample = TypeVar("Sample", bound=OfVideo)
# The samples of these rows in these videos, and how many segments are cut or in none, by reason.
Find = Callable[[pd.DataFrame, Sequence[str]], tuple[list[Sample], Counter[str]]]


def judging_samples(
    config: DetectionConfig,
    training: str,
    store: FeatureStore,
    dataset: Dataset,
    held_out: list[str],
    left_out: LeftOut,
    find: Find[Sample],
) -> list[Sample]:
    """The samples whose loss chooses the epoch to keep; none where none is chosen.

    Those of the training videos held out, else those of the evaluation subset, which is reported, as is
    what is left out. `training` is the section. Raises UserError if features are missing, or there is none.
    """
    settings = config.section(training)
    assert isinstance(settings, OptimisationSettings)
    if not chooses_epoch(settings):
        return []
    subset = config.dataset.train_subset if held_out else config.dataset.eval_subset
    rows, counts = training_rows(dataset, subset)
    if not held_out:  # of the training subset it is reported already
        for reason, count in counts.items():
            say(f"annotations, {subset}: {count} segments: {reason}")
    videos = held_out or store.available(list(rows["video"].unique()), left_out)
    rows = rows[rows["video"].isin(videos)]
    found, counts = find(rows, videos)
    for reason, count in counts.items():
        say(f"{training}: {count} of {len(rows)} judging segments {reason}")
    if not found:
        raise nothing_to_choose_by(config.dataset, held_out=bool(held_out))
    count = len({sample.video for sample in found})
    say(f"{training}: {chosen_by(config.dataset, count, held_out=bool(held_out))}")
    return found
