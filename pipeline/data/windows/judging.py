"""The windows whose loss chooses the epoch of BMN's training that is kept."""

from __future__ import annotations

from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import Dataset, training_rows
from pipeline.data.features.store import FeatureStore
from pipeline.data.hold_out import chooses_epoch, chosen_by, nothing_to_choose_by
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.windows.holding import windows_holding
from pipeline.data.windows.placing import Window
from pipeline.progress import say


def judging_windows(
    config: DetectionConfig,
    store: FeatureStore,
    dataset: Dataset,
    held_out: list[str],
    left_out: LeftOut,
) -> list[Window]:
    """The windows whose loss chooses the epoch to keep; none where none is chosen.

    Those of the training videos held out, else those of the evaluation subset, which is said, as is
    what is left out. Raises UserError where features are missing, or no window holds a segment.
    """
    if not chooses_epoch(config.bmn):
        return []
    subset = config.dataset.train_subset if held_out else config.dataset.eval_subset
    rows, counts = training_rows(dataset, subset)
    if not held_out:  # of the training subset it is said already
        for reason, count in counts.items():
            say(f"annotations, {subset}: {count} segments: {reason}")
    videos = held_out or store.available(list(rows["video"].unique()), left_out)
    rows = rows[rows["video"].isin(videos)]
    found, counts = windows_holding(store, config.bmn, rows, videos, moving=False)
    for reason, count in counts.items():
        say(f"bmn: {count} of {len(rows)} judging segments {reason}")
    if not found:
        raise nothing_to_choose_by(config.dataset, held_out=bool(held_out))
    count = len({window.video for window in found})
    say(f"bmn: {chosen_by(config.dataset, count, held_out=bool(held_out))}")
    return found
