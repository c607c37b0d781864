"""What is seen of a video in an epoch: drawn by place alone, cut, padded, with its targets."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from actionformer import assign
from actionformer.points import points
from pipeline.data.sequences.grids import position_rows
from pipeline.data.sequences.holding import Sample, training_videos
from pipeline.data.sequences.samples import drawn, sequence_batches, whole_sequences

SIZES = (3,)


@pytest.fixture
def samples(store, settings, dataset, rows):
    def made(**keys):
        table = rows(
            ("short", 2, 7, "jump"), ("short", 9, 14, "run"), ("long", 5, 15, "run"),
            ("long", 40, 52, "swim"),
        )  # fmt: skip
        config = settings(**keys)
        return config, training_videos(store, config, dataset, table, ["short", "long"])[0]

    return made


def batches(store, config, found, epoch=0, step=0, workers=0):
    return sequence_batches(store, config, found, SIZES, workers=workers, epoch=epoch, step=step)


def same(one, two):
    assert one.keys() == two.keys()
    for key in one:
        equal = torch.equal if isinstance(one[key], torch.Tensor) else lambda a, b: a == b
        assert equal(one[key], two[key]), key


@pytest.mark.parametrize(
    "keys", [{}, {"feature_step": 2, "positions": "average"}, {"mode": "rescale"}]
)
def test_a_batch_is_a_part_of_a_video_padded_with_the_targets_of_that_part(store, samples, keys):
    config, found = samples(epochs=6, warmup_epochs=0, **keys)
    whole = {one.video: position_rows(store(one.video), config) for one in found}
    grid = points([1, 2, 4], config.regression_ranges, 32)
    for number, batch in enumerate(batches(store, config, found)):
        (video,) = batch["names"]
        sample = next(one for one in found if one.video == video)
        window = drawn(sample, config, number // 2, found.index(sample))
        rows = whole[video][window.start : window.start + window.length]
        assert window.length == min(len(rows), 32) >= min(round(0.9 * sample.length), 32)
        np.testing.assert_array_equal(batch["features"][0, :, : len(rows)].T, rows)
        assert not batch["features"][0, :, len(rows) :].any()
        assert batch["mask"][0].sum() == len(rows) and batch["mask"][0, : len(rows)].all()
        expected = assign(grid, window.segments, sample.classes[window.kept.numpy(), 0], 3)
        assert torch.equal(batch["classes"][0].float(), expected.classes)
        assert torch.equal(batch["offsets"][0], expected.offsets)
        valid = torch.cat([batch["mask"][0, ::stride] for stride in (1, 2, 4)])
        assert torch.equal(batch["positive"][0], expected.positive & valid)
        assert batch["positives"] == [int(batch["positive"].sum())] and batch["last"] == [True]
    assert number == 11


def test_from_any_position_on_the_batches_are_those_of_an_unbroken_training(store, samples):
    config, found = samples(epochs=4, warmup_epochs=0)
    whole = list(batches(store, config, found))
    assert len(whole) == 8
    for start in (1, 4, 7):
        rest = list(batches(store, config, found, *divmod(start, 2)))
        for one, two in zip(whole[start:], rest, strict=True):
            same(one, two)
    read = list(batches(store, config, found, workers=1))
    for one, two in zip(whole, read, strict=True):
        same(one, two)


def test_epochs_see_other_parts_and_without_a_crop_short_videos_whole(samples):
    config, found = samples()
    short, long = found
    parts = {(w.start, w.length) for w in (drawn(short, config, epoch, 0) for epoch in range(30))}
    assert len(parts) > 3 and {length for _, length in parts} <= {18, 19, 20}
    starts = {drawn(long, config, epoch, 1).start for epoch in range(30)}
    assert len(starts) > 10 and all(drawn(long, config, e, 1).length == 32 for e in range(30))
    still = config.model_copy(update={"crop_ratio": None})
    assert {drawn(short, still, epoch, 0).length for epoch in range(30)} == {20}


def test_a_part_holds_a_segment_where_one_can(samples):
    config, (_, long) = samples()
    one = Sample("long", 75, long.reach, np.array([[60.0, 66.0]]), np.array([[0]]))
    for epoch in range(30):
        window = drawn(one, config, epoch, 1)
        assert len(window.kept) == 1 and window.start + 32 >= 63 - one.reach


def test_a_last_smaller_batch_is_left_to_other_epochs(store, samples):
    config, found = samples(batch_size=2, epochs=20, warmup_epochs=0)
    three = [*found, found[0]]
    seen = [batch["names"] for batch in batches(store, config, three)]
    assert [len(names) for names in seen] == [2] * 20
    assert {name for names in seen for name in names} == {"short", "long"}
    few = list(islice(batches(store, config, found[:1]), 3))
    assert [batch["names"] for batch in few] == [["short"]] * 3, "the only batch is kept"


def test_pieces_know_of_the_whole_batch(store, samples, monkeypatch):
    config, found = samples(batch_size=2, epochs=1, warmup_epochs=0, gradient_accumulation=2)
    (batch,) = batches(store, config, found)
    assert batch["pieces"] == [0, 1] and batch["last"] == [False, True]
    assert batch["samples"] == [2, 2] and len(set(batch["positives"])) == 1
    assert batch["positives"][0] == int(batch["positive"].sum())


def test_what_is_judged_is_whole(store, samples):
    config, found = samples()
    made = list(whole_sequences(store, config, found, SIZES, [1, 0], workers=0))
    assert [one["names"] for one in made] == [["long"], ["short"]]
    assert [int(one["mask"].sum()) for one in made] == [75, 20]
    assert [one["features"].shape[2] for one in made] == [80, 32]
    for one in made:
        assert one["positive"].shape[1] == sum(one["features"].shape[2] // k for k in (1, 2, 4))
