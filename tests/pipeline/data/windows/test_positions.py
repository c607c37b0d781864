"""Features as positions, and a video as the network sees it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.one_video import CLIPS, config, made, rows

from pipeline.data.windows.holding import training_windows
from pipeline.data.windows.positions import video_input
from pipeline.data.windows.samples import window_sample


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


@pytest.mark.parametrize("offset", [32.0, 0.0])
def test_an_offset_moves_windows_and_their_targets(tmp_path, offset):
    """What is annotated as much later as the clips are centred later has the same targets."""
    late = (offset - 4) / 60
    usual, moved = made(tmp_path / "usual", CLIPS), made(tmp_path / "moved", CLIPS, offset)
    np.testing.assert_allclose(moved("a").times, usual("a").times + late)
    settings = config(temporal_scale=20, duration_scale=10, window_step=10, boundary_center=0.5)
    segments = np.array([[1.0, 2.0], [7.1, 7.9], [20.0, 21.1]])
    one, _ = training_windows(usual, settings, rows(*segments), ["a"])
    other, counts = training_windows(moved, settings, rows(*(segments + late)), ["a"])
    assert not counts and [w.offset for w in one] == [w.offset for w in other]
    for left, right in zip(one, other, strict=True):
        a, b = window_sample(usual, settings, left), window_sample(moved, settings, right)
        for key in ("features", "start", "end", "iou"):
            torch.testing.assert_close(a[key], b[key], rtol=0, atol=1e-5)


def test_what_is_annotated_before_the_first_feature_is_cut_and_counted(tmp_path):
    store = made(tmp_path, CLIPS, 34.0)  # the first cell begins after 0.5 s
    settings = config(temporal_scale=20, duration_scale=10, window_step=10, min_inside=1.0)
    found, counts = training_windows(store, settings, rows((0.0, 0.4), (0.1, 1.7), (3, 4)), ["a"])
    assert counts == {
        "begin before the first feature's cell, cut there": 2,
        "end before the first feature's cell, left out": 1,
    }
    assert found[0].segments.tolist()[0] == [0.5, 1.7]


def test_a_rescaled_video_of_shifted_clips_keeps_its_time(tmp_path):
    """Features that are their own time, over the whole video at the positions' times."""
    features = replace(made(tmp_path, CLIPS, 34.0)("a"), array=np.zeros(0))
    ramp = np.repeat(features.grid.centers(CLIPS)[:, None], 2, axis=1).astype(np.float32)
    rows_ = video_input(replace(features, array=ramp), config(mode="rescale", temporal_scale=100))
    wished = np.clip((np.arange(100) + 0.5) / 2, ramp[0, 0], ramp[-1, 0])
    np.testing.assert_allclose(rows_.features[0, 0], wished, atol=1e-4)
