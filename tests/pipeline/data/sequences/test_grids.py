"""Where a video's positions stand in time: as the published code has it, whatever the clips are like."""

from __future__ import annotations

import numpy as np
import pytest

from feature_extraction.sampling import ClipGrid
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.data.features.timed import Features
from pipeline.data.sequences.grids import position_count, position_grid, position_rows


def features(clips, grid, duration=None, channels=3):
    array = np.arange(clips * channels, dtype=np.float32).reshape(clips, channels)
    return Features(array, grid, duration or clips * grid.seconds_per_clip)


def settings(**keys):
    return ActionFormerSettings(levels=2, **{"max_length": 8, **keys})


@pytest.mark.parametrize(("stride", "frames"), [(4, 16), (16, 32), (8, 32), (16, 16)])
def test_clips_around_their_published_middles_give_the_published_times(stride, frames):
    """s x fps / stride - 0.5 x frames / stride, with offset_frames at half a clip's frames."""
    grid = ClipGrid(30.0, frames, 1, stride, shift=frames / 2 - stride / 2)
    made = position_grid(grid, 60.0, settings())
    seconds = np.array([0.0, 1.3, 17.77])
    expected = seconds * 30 / stride - 0.5 * frames / stride
    np.testing.assert_allclose(made.to_positions(seconds), expected, atol=1e-12)
    np.testing.assert_allclose(made.to_seconds(expected), seconds, atol=1e-12)
    assert made.reach == 0.5 * frames / stride


def test_a_group_stands_in_its_middle_unless_its_first_clip_is_taken():
    grid = ClipGrid(10.0, 4, 2, 10)  # a cell a second, clips of 7 frames
    assert position_grid(grid, 60.0, settings()).first == 0.5
    every = position_grid(grid, 60.0, settings(feature_step=4))
    assert (every.first, every.step, every.reach) == (0.5, 4.0, 0.5 * 7 / 40)
    for how in ("average", "interpolate"):
        group = position_grid(grid, 60.0, settings(feature_step=4, positions=how))
        assert (group.first, group.step, group.reach) == (2.0, 4.0, 0.5 * 37 / 40)
    moved = position_grid(ClipGrid(10.0, 4, 2, 10, shift=-3), 60.0, settings())
    assert moved.first == pytest.approx(0.2)


def test_a_rescaled_video_is_divided_into_equal_parts():
    made = position_grid(ClipGrid(10.0, 4, 2, 10), 24.0, settings(mode="rescale"))
    assert (made.first, made.step, made.reach) == (1.5, 3.0, 0.5)
    assert made.to_seconds(np.array([-0.5, 7.5])).tolist() == [0.0, 24.0]


@pytest.mark.parametrize(("keys", "clips", "count"), [
    ({}, 21, 21), ({"feature_step": 4}, 21, 6), ({"mode": "rescale"}, 21, 8),
])  # fmt: skip
def test_so_many_positions_there_are(keys, clips, count):
    made = settings(**keys)
    assert position_count(clips, made) == count
    rows = position_rows(features(clips, ClipGrid(10.0, 4, 2, 10)), made)
    assert rows.shape == (count, 3) and rows.dtype == np.float32


def test_rescaled_positions_are_read_in_the_middles_of_their_parts():
    rows = position_rows(features(24, ClipGrid(10.0, 1, 1, 10)), settings(mode="rescale"))
    # the middle of part i, in cells: 3 i + 1.5; of cell k: k + 0.5; each row is 3 times its cell
    np.testing.assert_allclose(rows[:, 0], 3 * (3 * np.arange(8) + 1), rtol=1e-6)


def test_positions_of_length_one():
    rows = position_rows(features(5, ClipGrid(10.0, 1, 1, 10)), settings(normalize=True))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)
