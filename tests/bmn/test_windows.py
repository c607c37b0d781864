"""Cutting, padding, rescaling and fusing windows."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bmn import BMNError, fuse_windows
from bmn.windows import (
    TimeGrid,
    interpolated_positions,
    position_features,
    rescale,
    share_inside,
    sliding_grid,
    sliding_windows,
    whole_video_grid,
    window_features,
)


def test_fusion_equals_the_public_one(reference):
    vectors = reference("window_fusion.npz")
    names = ("offsets", "start", "end", "confidence_map", "mask")
    fused = fuse_windows(*(vectors[name] for name in names), 100)
    tensors = fuse_windows(*(torch.from_numpy(vectors[name]) for name in names), 100)
    for name, ours, tensor in zip(("start", "end", "confidence_map"), fused, tensors, strict=True):
        assert isinstance(ours, np.ndarray) and isinstance(tensor, torch.Tensor)
        assert np.abs(ours - vectors[f"fused_{name}"]).max() < 1e-6
        assert np.array_equal(tensor.numpy(), ours)


def test_one_window_fuses_to_itself_and_padding_is_dropped():
    start, end, maps = np.random.rand(1, 6), np.random.rand(1, 6), np.random.rand(1, 2, 3, 6)
    fused = fuse_windows([0], start, end, maps, np.ones((3, 6)), 4)
    assert np.allclose(fused[0], start[0, :4]) and np.allclose(fused[2], maps[0, :, :, :4])
    longer = fuse_windows([0], start, end, maps, np.ones((3, 6)), 9)
    assert longer[1].shape == (9,) and not longer[1][6:].any()


def test_constant_windows_fuse_to_the_constant():
    offsets = sliding_windows(23, 8, 3)
    count = len(offsets)
    ones = np.full((count, 8), 0.25), np.full((count, 8), 0.75), np.full((count, 2, 5, 8), 0.5)
    start, end, maps = fuse_windows(offsets, *ones, np.ones((5, 8)), 23)
    assert np.allclose(start, 0.25) and np.allclose(end, 0.75) and np.allclose(maps, 0.5)


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 40))
def test_every_segment_of_window_less_step_lies_in_a_window(length, step, duration):
    window = step + duration
    offsets = sliding_windows(length, window, step)
    assert offsets[0] == 0 and offsets[-1] + window >= length
    assert len(offsets) == 1 or offsets[-2] + window < length
    for start in range(max(length - duration, 0) + 1):
        end = min(start + duration, length)
        assert ((offsets <= start) & (end <= offsets + window)).any()


@given(st.integers(1, 300), st.integers(1, 60), st.integers(1, 60))
def test_windows_to_the_end_begin_wherever_they_can(length, window, step):
    step = min(step, window)
    every = sliding_windows(length, window, step, to_end=True)
    assert every.tolist() == [k * step for k in range(length) if k * step < length]
    to_cover = sliding_windows(length, window, step)
    assert np.array_equal(every[: len(to_cover)], to_cover)
    assert all(offset + window >= length for offset in every[len(to_cover) :])


def test_window_features_pads_with_zeros():
    features = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert np.array_equal(window_features(features, 1, 3), features[1:4])
    padded = window_features(features, 3, 4)
    assert np.array_equal(padded[:2], features[3:]) and not padded[2:].any()
    before = window_features(features, -2, 4)
    assert np.array_equal(before[2:], features[:2]) and not before[:2].any()
    both = window_features(features, -2, 9)
    assert np.array_equal(both[2:7], features) and not both[[0, 1, 7, 8]].any()


def test_rescale_equals_torch_interpolation():
    features = np.random.rand(37, 5).astype(np.float32)
    for scale in (1, 20, 37, 100):
        tensor = torch.from_numpy(features.T)[None]
        theirs = torch.nn.functional.interpolate(tensor, scale, mode="linear")[0].T
        assert np.abs(rescale(features, scale) - theirs.numpy()).max() < 1e-5
    assert np.array_equal(rescale(features, 37), features)


def test_rescale_keeps_a_linear_ramp_in_place():
    """Values that equal the time of their cell's centre still do after rescaling."""
    ramp = (np.arange(21, dtype=np.float32)[:, None] + 0.5) * 0.4
    grid = whole_video_grid(8.2, 60)  # the last of 21 clips reaches beyond 8.2 s
    ours = rescale(ramp, 60, extent=8.2 / 0.4)[:, 0]
    centres = grid.to_seconds(np.arange(60) + 0.5)
    inside = centres > 0.2
    assert np.abs(ours[inside] - centres[inside]).max() < 1e-4


def test_positions_of_several_features():
    features = np.arange(5, dtype=np.float32)[:, None]
    assert position_features(features, 2)[:, 0].tolist() == [0, 2, 4]
    assert position_features(features, 2, average=True)[:, 0].tolist() == [0.5, 2.5, 4]
    assert np.array_equal(position_features(features, 1), features)


@pytest.mark.parametrize("every", [1, 2, 3, 4, 5])
def test_interpolated_positions_equal_torch_interpolation_of_whole_groups(every):
    features = np.random.default_rng(every).normal(size=(every * 20, 3)).astype(np.float32)
    tensor = torch.from_numpy(features.T)[None]
    theirs = torch.nn.functional.interpolate(tensor, 20, mode="linear", align_corners=False)
    ours = interpolated_positions(features, every)
    np.testing.assert_allclose(ours, theirs[0].T.numpy(), atol=1e-6)
    if every == 2:
        assert np.array_equal(ours, position_features(features, 2, average=True))


@pytest.mark.parametrize("every", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("count", [1, 2, 7, 20, 23])
def test_every_position_is_made_of_its_own_features_alone(every, count):
    """A ramp stays in place, and any span of whole groups gives the positions of the whole."""
    ramp = np.arange(count, dtype=np.float32)[:, None]
    centres = (np.arange(-(-count // every)) + 0.5) * every - 0.5
    whole = interpolated_positions(ramp, every)
    np.testing.assert_array_equal(whole[:, 0], np.minimum(centres, count - 1))
    noise = np.random.default_rng(count).normal(size=(count, 4)).astype(np.float32)
    averaged = partial(position_features, average=True)
    for cut in (position_features, averaged, interpolated_positions):
        whole = cut(noise, every)
        for first in range(len(whole)):
            for stop in range(first + 1, len(whole) + 1):
                part = cut(noise[first * every : stop * every], every)
                assert np.array_equal(part, whole[first:stop])


def test_time_grids_map_both_ways():
    grid = sliding_grid(8 / 60, 2)
    assert grid.seconds_per_position == pytest.approx(16 / 60)
    assert grid.window(100, 200) == pytest.approx((100 * 16 / 60, 300 * 16 / 60))
    seconds = np.array([[0.0, 3.5], [7.25, 1000.0]])
    shifted = TimeGrid(0.3, origin=2.0)
    assert np.allclose(shifted.to_seconds(shifted.to_positions(seconds)), seconds)
    assert whole_video_grid(50.0, 100).to_positions(25.0) == 50.0


def test_share_inside():
    segments = np.array([[0, 2], [1, 3], [4, 5], [3, 3], [9, 9], [-2, 6]])
    assert np.allclose(share_inside(segments, (2.0, 4.0)), [0, 0.5, 0, 1, 0, 0.25])
    assert share_inside(np.zeros((0, 2)), (2.0, 4.0)).shape == (0,)


def test_bad_input_is_refused():
    ones = np.ones((1, 4)), np.ones((1, 4)), np.ones((1, 2, 3, 4)), np.ones((3, 4))
    with pytest.raises(BMNError, match="do not fit"):
        fuse_windows([0, 1], *ones, 8)
    with pytest.raises(BMNError, match="offsets"):
        fuse_windows([8], *ones, 8)
    with pytest.raises(BMNError, match="step 5"):
        sliding_windows(10, 4, 5)
    with pytest.raises(BMNError, match="offset 7"):
        window_features(np.zeros((5, 2)), 7, 3)
    with pytest.raises(BMNError, match="offset -3"):
        window_features(np.zeros((5, 2)), -3, 3)
    with pytest.raises(BMNError, match="rescale 0"):
        rescale(np.zeros((0, 2)), 3)
    with pytest.raises(BMNError, match="every 0"):
        interpolated_positions(np.zeros((5, 2)), 0)
    with pytest.raises(BMNError, match="above 0"):
        whole_video_grid(0.0, 100)
