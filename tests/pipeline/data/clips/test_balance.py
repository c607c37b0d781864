"""Rare classes drawn more often: how often, that resuming draws the same, that `none` changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.configuration.reading import find_config, load_config
from pipeline.data.clips.balance import _whole_numbers, balance_line, clip_numbers, expected_times
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.training import clip_batches, epoch_clips
from pipeline.data.order import epoch_order
from pipeline.data.videos.left_out import LeftOut

TARGETS = np.repeat([0, 1, 2, 3], [60, 25, 4, 1])[:, None]


def settings(balance, **more):
    more = {f"finetune.{key}": value for key, value in more.items()}
    fields = {"finetune.balance": balance, "finetune.batch_size": 16, **more}
    return load_config(find_config("hacs"), fields).finetune


def segments_of(targets=TARGETS, shapes=None):
    none = np.zeros(len(targets))
    return Segments([""] * len(targets), none, none, targets, {}, shapes=shapes)


def drawn(balance, epoch=0, targets=TARGETS, shapes=None, **more):
    return epoch_clips(segments_of(targets, shapes), settings(balance, **more), epoch)


def expected(balance, targets=TARGETS, **more):
    return expected_times(segments_of(targets), settings(balance, **more))


def counts(batches, targets=TARGETS):
    segments = np.array(sum(batches, [])) % len(targets)
    return np.bincount(segments, minlength=len(targets))


def test_none_is_the_even_order():
    assert drawn("none", 3) == epoch_order(90, 16, settings("none").seed, 3)
    assert clip_numbers(segments_of(), settings("none"), 3).tolist() == list(range(90))


@pytest.mark.parametrize("clips", [1, 3])
@pytest.mark.parametrize(("balance", "power"), [("sqrt", 0.5), ("full", 1.0)])
def test_segments_and_classes_come_as_often_as_they_should(balance, power, clips):
    sizes = np.bincount(TARGETS[:, 0])
    weights = sizes[TARGETS[:, 0]] ** -power
    wanted = weights / weights.sum() * len(TARGETS) * clips
    np.testing.assert_allclose(expected(balance, clips_per_segment=clips), wanted, rtol=1e-12)
    for epoch in range(20):
        batches = drawn(balance, epoch, clips_per_segment=clips)
        assert [len(batch) for batch in batches] == [
            len(batch) for batch in drawn("none", epoch, clips_per_segment=clips)
        ]
        times = counts(batches)
        assert (np.abs(times - wanted) < 1 + 1e-9).all()
        classes = [np.bincount(TARGETS[:, 0], weights=values) for values in (times, wanted)]
        assert (np.abs(classes[0] - classes[1]) < 1 + 1e-9).all()


def test_over_epochs_each_segment_comes_as_expected():
    total = sum(counts(drawn("sqrt", epoch)) for epoch in range(400))
    # Each epoch is off by less than one, at random: 400 of them by some tens at most.
    assert np.abs(total - 400 * expected("sqrt")).max() < 60


def test_clips_of_one_segment_have_numbers_of_their_own():
    numbers = sum(drawn("full", 1), [])
    assert len(set(numbers)) == len(numbers) == len(TARGETS)


def test_epochs_differ_and_an_epoch_is_always_the_same():
    assert drawn("full", 1) == drawn("full", 1) != drawn("full", 2)
    assert drawn("full", 1) != drawn("full", 1, seed=1)


def test_a_class_of_two_heads_is_the_pair():
    pairs = np.array([[0, 0]] * 30 + [[0, 1]] * 5 + [[1, 0]] * 5)
    times = expected("full", pairs) * 60 / 40
    np.testing.assert_allclose([times[:30].sum(), times[30:35].sum(), times[35:].sum()], 20)


def test_even_classes_are_drawn_evenly():
    targets = np.arange(40)[:, None] % 4
    assert (counts(drawn("full", 0, targets), targets) == 1).all()


def test_the_line_says_how_much_is_taken():
    assert "full: an epoch takes about 50 of 90 segments, each 0.38 to" in balance_line(
        segments_of(), settings("full")
    )


def test_a_training_that_goes_on_takes_the_same_clips(monkeypatch):
    chosen = settings("full", epochs=3, warmup_epochs=0)
    seen = []
    monkeypatch.setattr(
        "pipeline.data.clips.training.load_clips",
        lambda s, c, plan, u, w: (
            seen.append(list(plan)) or ({"names": "n", "places": []} for _ in seen[-1])
        ),
    )
    for epoch, step in ((0, 0), (1, 2)):
        list(
            clip_batches(segments_of(), chosen, LeftOut("test"), workers=0, epoch=epoch, step=step)
        )
    assert seen[1] == seen[0][6 + 2 :] and len(seen[0]) == 18


def test_whole_frames_keep_their_shapes_and_the_number_of_batches():
    shapes = np.array([0] * 50 + [1] * 39 + [2])
    made = [drawn("full", epoch, shapes=shapes) for epoch in range(30)]
    assert len({len(batches) for batches in made}) == 1
    for batches in made:
        assert sum(map(len, batches)) == 90
        assert all(len(set(shapes[np.array(batch) % 90])) == 1 for batch in batches)


def test_sums_become_whole_numbers_of_the_same_total():
    for sums in ([2.5, 2.5, 5.0], [0.2, 9.8], [0.1, 0.1, 0.1, 3.7], [7.0], [1 / 3] * 3 + [5.0]):
        whole = _whole_numbers(np.array(sums))
        assert whole.sum() == round(sum(sums)) and (whole >= 1).all()
