"""BMN's training samples: which windows there are, what they hold, and what is left out and counted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch

from bmn.moves import window_moves
from bmn.targets import window_targets
from bmn.windows import share_inside
from feature_extraction import FeatureMeta, feature_path, write_features
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.windows import samples as windows
from pipeline.data.windows.holding import training_windows
from pipeline.data.windows.placing import redrawn, windows_digest
from pipeline.data.windows.positions import video_input
from pipeline.runs.run import Run

SECONDS, CLIPS = 50.0, 375  # a clip every 8 / 60 s


@pytest.fixture
def store(tmp_path):
    return made(tmp_path, CLIPS)


def made(folder, clips):
    """The features of a run whose one video has so many clips; none of them is zero."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(clips, 6)).astype(np.float32)
    seconds = SECONDS * clips / CLIPS
    meta = FeatureMeta("a", 60.0, 8, 8, 8, 224, seconds, "tada2d", "x", "float32")
    write_features(feature_path(folder / "extract/features", "a"), features, meta)
    return Run(folder, load_config(find_config("ek100"))).features


def config(**more):
    bmn = {"positions": "every", "windows_to_end": False} | more
    assignments = {f"bmn.{key}": value for key, value in bmn.items()}
    return load_config(find_config("ek100"), assignments).bmn


def rows(*segments):
    table = pd.DataFrame(segments, columns=["start", "end"], dtype=float)
    return table.assign(video="a", subset="training", label="x")


def test_segments_are_cut_at_the_decoded_end_and_those_in_no_window_counted(store):
    # Windows of 20 positions of 0.267 s, one every 10: segments of up to 2.67 s always fit.
    settings = config(temporal_scale=20, duration_scale=10, window_step=10)
    segments = rows((1.0, 3.0), (49.0, 50.4), (50.1, 51.0), (10.0, 20.0))
    found, counts = training_windows(store, settings, segments, ["a"])
    assert counts == {
        "end after the decoded video's end, cut there": 2,
        "begin after the decoded video's end, left out": 1,
        "fit into no window, left out": 1,
    }
    held = np.unique(np.concatenate([window.segments for window in found]), axis=0)
    np.testing.assert_array_equal(held, [[1.0, 3.0], [49.0, 50.0]])


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


def test_windows_to_the_end_are_trained_on_and_proposed_from(store):
    small = {"temporal_scale": 20, "duration_scale": 10, "window_step": 5}
    usual, longer = config(**small), config(**small, windows_to_end=True)
    one, other = (video_input(store("a"), settings) for settings in (usual, longer))
    assert one.length == other.length == 188
    assert one.offsets.tolist() == list(range(0, 171, 5))
    assert other.offsets.tolist() == list(range(0, 186, 5))
    np.testing.assert_array_equal(other.features[: len(one.features)], one.features)
    assert not other.features[-1, :, 3:].any() and other.features[-1, :, :3].any()
    segments = rows((1.0, 2.0), (47.5, 48.5))  # the second begins at position 178.1
    held, counts = training_windows(store, longer, segments, ["a"])
    assert not counts and [window.offset for window in held] == [0, 165, 170, 175]
    held, _ = training_windows(store, usual, segments, ["a"])
    assert [window.offset for window in held] == [0, 165, 170]


@pytest.mark.parametrize("kind", ["average", "interpolate"])
def test_a_position_of_several_features_is_their_mean_or_what_lies_at_its_centre(store, kind):
    settings = config(feature_step=4, positions=kind, temporal_scale=200)
    features = store("a").array  # 375: the last position has three of four
    source = video_input(store("a"), settings)
    made = source.features[0, :, : source.length].T
    assert source.length == 94
    groups = np.split(features[:372], 93)
    if kind == "average":
        wished = [group.mean(0) for group in groups] + [features[372:].mean(0)]
    else:
        wished = [group[1:3].mean(0) for group in groups] + [features[373:375].mean(0)]
    np.testing.assert_allclose(made, wished, atol=1e-6)


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
    assert list(batches["as ever"]) == ["features", "start", "end", "iou", "names"]
    assert torch.equal(batches["fine"]["iou"], batches["as ever"]["iou"])
    span = (0.0, 20 * 16 / 60)
    exact = window_targets(np.array([[1.0, 2.7]]), span, 20, 10, 0.5)
    assert torch.equal(batches["fine"]["start"][0], exact.start)
    assert torch.equal(
        batches["fine"]["moves"][0], window_moves(np.array([[1.0, 2.7]]), span, 20, 10)
    )


def test_other_windows_have_another_digest(store):
    settings = config(temporal_scale=20, duration_scale=10, window_step=10)
    lists = [
        training_windows(store, settings, rows(segment), ["a"])[0]
        for segment in ((1.0, 3.0), (1.0, 3.0), (1.0, 3.1))
    ]
    one, same, other = map(windows_digest, lists)
    assert one == same != other


MOVING = {"temporal_scale": 20, "duration_scale": 10, "window_step": 10, "random_windows": True}


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


def test_a_moved_window_is_that_cut_of_the_padded_video_and_has_its_segments(store):
    settings = config(**MOVING)
    features = store("a").array
    padded = np.pad(features[::2], ((20, 40), (0, 0)))
    starts = np.arange(0.0, 49.0, 0.7)
    segments = np.stack([starts, starts + 0.9], axis=1)
    found, _ = training_windows(store, settings, rows(*segments), ["a"])
    seen = set()
    for epoch in range(30):
        for index, window in enumerate(found):
            moved = redrawn(window, settings, epoch, index)
            seen.add(moved.offset - window.offset)
            cut = padded[20 + moved.offset : 40 + moved.offset]
            place = 16 / 60 * np.array([moved.offset, moved.offset + 20])
            np.testing.assert_allclose(moved.span, place)
            inside = share_inside(segments, moved.span) >= 0.999
            np.testing.assert_array_equal(moved.segments, segments[inside])
            sample = windows.window_sample(store, settings, moved)
            np.testing.assert_array_equal(sample["features"].numpy().T, cut)
            targets = window_targets(segments[inside], moved.span, 20, 10)
            np.testing.assert_array_equal(sample["iou"], targets.iou)
    assert seen == set(range(-5, 5))


def test_a_video_shorter_than_the_window_stays_whole_wherever_it_lies(tmp_path):
    store = made(tmp_path, 25)  # 13 positions, the last of one clip
    settings = config(**MOVING)
    found, _ = training_windows(store, settings, rows((0.5, 1.5), (2.0, 3.0)), ["a"])
    (window,) = found
    moved = [redrawn(window, settings, epoch, 0) for epoch in range(200)]
    assert {place.offset for place in moved} == set(range(-7, 1))
    assert all(len(place.segments) == 2 for place in moved)
    for place in moved[:20]:
        features = windows.window_sample(store, settings, place)["features"].numpy()
        lies = np.flatnonzero(features.any(0)) + place.offset
        assert lies.tolist() == list(range(13))


def test_a_window_without_a_segment_is_drawn_again_or_stays(store):
    # As long as the window: any other place cuts it.
    settings = config(**MOVING)
    seconds = 16 / 60
    one = rows((10 * seconds, 30 * seconds))
    (window,) = training_windows(store, settings, one, ["a"])[0]
    assert window.offset == 10
    assert {redrawn(window, settings, epoch, 0).offset for epoch in range(50)} == {10}
    two = rows((12 * seconds, 30 * seconds))
    found = training_windows(store, settings, two, ["a"])[0]
    (window,) = found
    offsets = {redrawn(window, settings, epoch, 0).offset for epoch in range(100)}
    assert offsets == {10, 11, 12}


def test_a_rescaled_video_stays_as_it_is(store):
    settings = config(mode="rescale", temporal_scale=100, random_windows=True)
    (window,), _ = training_windows(store, settings, rows((1.0, 3.0)), ["a"])
    assert redrawn(window, settings, 3, 0) is window


def test_the_digest_covers_what_windows_are_redrawn_from(store):
    settings = config(**MOVING | {"duration_scale": 20, "window_step": 20})
    short, between = (3.0, 4.0), (20 * 16 / 60 - 1, 20 * 16 / 60 + 1)  # in no regular window
    alone, counts = training_windows(store, settings, rows(short), ["a"])
    assert not counts
    both, counts = training_windows(store, settings, rows(short, between), ["a"])
    assert counts == {"fit into no regular window, only by chance in a shifted one": 1}
    assert [window.offset for window in alone] == [window.offset for window in both] == [0]
    assert windows_digest(alone) != windows_digest(both)
    sizes = {len(redrawn(both[0], settings, epoch, 0).segments) for epoch in range(100)}
    assert sizes == {1, 2}
