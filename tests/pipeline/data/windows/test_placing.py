"""Where windows lie: redrawn every epoch, and what tells lists of them apart."""

from __future__ import annotations

import numpy as np
from helpers.one_video import MOVING, config, made, rows

from bmn.targets import window_targets
from bmn.windows import share_inside
from pipeline.data.windows import samples as windows
from pipeline.data.windows.holding import training_windows
from pipeline.data.windows.placing import redrawn, windows_digest


def test_other_windows_have_another_digest(store):
    settings = config(temporal_scale=20, duration_scale=10, window_step=10)
    lists = [
        training_windows(store, settings, rows(segment), ["a"])[0]
        for segment in ((1.0, 3.0), (1.0, 3.0), (1.0, 3.1))
    ]
    one, same, other = map(windows_digest, lists)
    assert one == same != other


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
