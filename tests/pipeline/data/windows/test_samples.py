"""BMN's training samples: batches of windows, in an order that resumes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers.one_video import MOVING, config, rows

from bmn.moves import window_moves
from bmn.targets import window_targets
from pipeline.data.windows import samples as windows
from pipeline.data.windows.holding import training_windows
from pipeline.data.windows.positions import video_input


@pytest.mark.parametrize(
    "more",
    [{}, {"mode": "rescale", "temporal_scale": 100}]
    + [
        {"feature_step": step, "positions": kind, "normalize": step == 3}
        for kind in ("every", "average", "interpolate")
        for step in (2, 3, 4)
    ],
)
def test_a_training_window_is_the_window_of_the_whole_video(store, more):
    settings = config(**({"temporal_scale": 20, "duration_scale": 10, "window_step": 10} | more))
    whole = video_input(store("a"), settings)
    segments = rows(*[(start, start + 0.9) for start in np.arange(0.0, 49.0, 0.7)])
    found, counts = training_windows(store, settings, segments, ["a"])
    assert not counts and len(found) == len(whole.offsets)
    batches = windows.window_batches(store, settings, found, workers=0, epoch=9, step=0)
    made = {tuple(row.ravel().tolist()) for batch in batches for row in batch["features"].numpy()}
    assert made == {tuple(row.ravel().tolist()) for row in whole.features}


def test_targets_are_those_of_the_settings(store):
    small = {"temporal_scale": 20, "duration_scale": 10, "window_step": 10}
    segments = rows((1.0, 2.7))
    batches = {}
    for name, more in {"as ever": {}, "fine": {"boundary_center": 0.5, "regression": True}}.items():
        settings = config(**small, **more)
        found, _ = training_windows(store, settings, segments, ["a"])
        batches[name] = next(
            windows.window_batches(store, settings, found, workers=0, epoch=0, step=0)
        )
    expected = ["features", "start", "end", "iou", "names", "pieces"]
    assert list(batches["as ever"]) == expected
    assert torch.equal(batches["fine"]["iou"], batches["as ever"]["iou"])
    span = (0.0, 20 * 16 / 60)
    exact = window_targets(np.array([[1.0, 2.7]]), span, 20, 10, 0.5)
    assert torch.equal(batches["fine"]["start"][0], exact.start)
    assert torch.equal(
        batches["fine"]["moves"][0], window_moves(np.array([[1.0, 2.7]]), span, 20, 10)
    )


def samples(settings, store, found, *, epoch=0, step=0, workers=0):
    """The batches of a training from a position on, as plain arrays."""
    batches = windows.window_batches(
        store, settings, found, workers=workers, epoch=epoch, step=step
    )
    return [{key: np.asarray(value) for key, value in batch.items()} for batch in batches]


def same_batches(ours, theirs):
    return len(ours) == len(theirs) and all(
        np.array_equal(one[key], two[key])
        for one, two in zip(ours, theirs, strict=True)
        for key in one
    )


def test_windows_move_anew_every_epoch_and_a_resumed_training_takes_the_same(store):
    settings = config(**MOVING, epochs=3, batch_size=4)
    segments = rows(*[(start, start + 0.9) for start in np.arange(0.0, 49.0, 0.7)])
    found, _ = training_windows(store, settings, segments, ["a"])
    still = config(**MOVING | {"random_windows": False})
    regular, _ = training_windows(store, still, segments, ["a"])
    assert [window.offset for window in found] == [window.offset for window in regular]
    whole = samples(settings, store, found)
    steps = len(windows.epoch_windows(found, settings, 0))
    assert len(whole) == 3 * steps
    assert same_batches(samples(settings, store, found, epoch=1, step=2), whole[steps + 2 :])
    assert same_batches(samples(settings, store, found, epoch=1, workers=2), whole[steps:])
    epochs = [
        {row.tobytes() for batch in whole[first : first + steps] for row in batch["features"]}
        for first in range(0, len(whole), steps)
    ]
    assert all(len(one & two) < len(one) for one, two in pairwise(epochs))
    other = samples(config(**MOVING, epochs=3, batch_size=4, seed=1), store, found)
    assert not same_batches(other, whole)
