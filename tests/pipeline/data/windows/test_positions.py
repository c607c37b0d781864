"""Features as positions, and a video as the network sees it."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.one_video import config, rows

from pipeline.data.windows.holding import training_windows
from pipeline.data.windows.positions import video_input


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
