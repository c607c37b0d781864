"""Seconds, frame numbers and clip numbers."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, takewhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_extraction.sampling import (
    ClipGrid,
    SamplingError,
    times_inside,
    training_clip_times,
)

GRIDS = st.builds(
    ClipGrid,
    fps=st.sampled_from([60, 30, 59.94, 29.97, 25, 7.5]),
    frames=st.integers(1, 16),
    interval=st.integers(1, 10),
    stride=st.integers(1, 40),
)


def test_the_papers_grids():
    """Section 6, Appendix A.2: a feature every 8 frames at 60 fps, every 16 at 30 fps."""
    kitchens, hacs = ClipGrid(60, 8, 8, 8), ClipGrid(30, 8, 8, 16)
    assert kitchens.seconds_per_clip == pytest.approx(0.1333, abs=1e-4)
    assert hacs.seconds_per_clip == pytest.approx(0.5333, abs=1e-4)
    assert kitchens.frame_indices(0).tolist() == [-24, -16, -8, 0, 8, 16, 24, 32]
    assert hacs.frame_indices(1).tolist() == [-4, 4, 12, 20, 28, 36, 44, 52]
    assert kitchens.num_clips(3600.0) == 27000
    assert kitchens.centers(2) == pytest.approx([4 / 60, 12 / 60])


@given(GRIDS, st.integers(0, 500))
def test_clips_are_centred_on_their_cells(grid, clip):
    indices = grid.frame_indices(clip)
    middle = (indices[0] + indices[-1]) / 2
    assert np.diff(indices).tolist() == [grid.interval] * (grid.frames - 1)
    early = grid.centers(clip + 1)[clip] * grid.fps - middle
    assert -1e-6 <= early <= 0.5 + 1e-6  # frames
    assert grid.clips_at(grid.centers(clip + 1), clip + 1).tolist() == list(range(clip + 1))


@given(GRIDS, st.integers(1, 400))
def test_whole_cells_are_counted_exactly(grid, clips):
    """A duration of a whole number of cells has that many clips, however floats round."""
    assert grid.num_clips(clips * grid.stride / grid.fps) == clips
    assert grid.num_clips((clips * grid.stride + 0.5) / grid.fps) == clips + 1
    assert grid.num_clips(0.0) == 1


@given(GRIDS, st.integers(1, 2000))
def test_last_frame_lies_before_the_end(grid, frames):
    duration = frames / grid.fps
    assert grid.last_frame(duration) == frames - 1
    assert grid.times(np.array([frames - 1]))[0] < duration


SHIFTS = st.integers(-20, 40).map(lambda halves: halves / 2)


@given(GRIDS, SHIFTS, st.integers(1, 60))
def test_a_shift_moves_cells_and_clips_alike(grid, shift, count):
    moved = replace(grid, shift=shift)
    seconds = shift / grid.fps
    np.testing.assert_allclose(moved.centers(count), grid.centers(count) + seconds)
    times = np.linspace(0, count * grid.seconds_per_clip, 50) + grid.seconds_per_clip / 7
    np.testing.assert_array_equal(
        moved.clips_at(times + seconds, count), grid.clips_at(times, count)
    )
    early = moved.centers(count) * grid.fps - [moved.frame_indices(i).mean() for i in range(count)]
    assert (-1e-6 <= early).all() and (early <= 0.5 + 1e-6 + 0.5).all()
    around = moved.times_around(moved.centers(count))
    np.testing.assert_allclose(
        around, [moved.times(moved.frame_indices(clip)) for clip in range(count)], atol=1e-9
    )
    if seconds + count * grid.seconds_per_clip > 0:
        assert moved.num_clips(max(0.0, seconds + count * grid.seconds_per_clip)) == count


@given(GRIDS, SHIFTS)
def test_needed_frames_are_the_union_of_the_clips(grid, shift):
    grid = replace(grid, shift=shift)
    union = sorted({max(0, int(k)) for clip in range(60) for k in grid.frame_indices(clip)})
    settled = int(grid.frame_indices(60)[0])
    expected = [k for k in union if k < settled]
    assert list(takewhile(lambda k: k < settled, islice(grid.needed_frames(), 4000))) == expected


@given(GRIDS, st.floats(0.01, 30.0))
def test_clamped_clips_stay_in_the_video_and_are_needed(grid, duration):
    last = grid.last_frame(duration)
    needed = set(takewhile(lambda k: k <= last, grid.needed_frames())) | {last}
    for clip in range(grid.num_clips(duration)):
        assert set(grid.clip_indices(clip, last).tolist()) <= needed


def test_training_clips_slide_within_their_segment():
    options = {"fps": 30, "frames": 8, "interval": 8}
    span = 7 * 8 / 30
    for offset, first in ((0.0, 10.0), (1.0, 14.0 - span), (0.5, 12.0 - span / 2)):
        times = training_clip_times(10.0, 14.0, offset=offset, **options)
        assert times[0] == pytest.approx(first) and times[-1] == pytest.approx(first + span)
        assert np.diff(times) == pytest.approx(8 / 30)
    for offset in (0.0, 0.3, 1.0):  # shorter than the clip: centred, whatever the offset
        times = training_clip_times(10.0, 10.4, offset=offset, **options)
        assert times.mean() == pytest.approx(10.2)


@pytest.mark.parametrize("fps", [30, 60])
@pytest.mark.parametrize("first", [0, 1, 37, 1000])
def test_interval_nine_gives_the_frames_of_the_public_sampler(fps, first):
    """There, 8 frames of "interval 8" are spread evenly over 64 frames: 0 to 63, nine apart."""
    public = np.floor(np.linspace(first, first + 63, 8) + 1e-9)
    start = first / fps
    times = training_clip_times(start, start + 5, fps=fps, frames=8, interval=9, offset=0.0)
    np.testing.assert_array_equal(np.rint(times * fps), public)
    np.testing.assert_array_equal(np.diff(public), 9)


@given(st.floats(0, 100), st.floats(0, 60), st.floats(0, 1))
def test_training_clips_lie_in_long_segments(start, length, offset):
    times = training_clip_times(start, start + length, fps=60, frames=8, interval=8, offset=offset)
    if length >= 56 / 60:
        assert start - 1e-6 <= times[0] and times[-1] <= start + length + 1e-6
    else:
        assert times.mean() == pytest.approx(start + length / 2, abs=1e-6)


@given(st.floats(0, 100), st.floats(0, 3), st.floats(0, 1), st.sampled_from([12.5, 25, 29.97, 60]))
def test_frames_nearest_to_times_inside_lie_inside(start, length, offset, fps):
    end = start + length
    times = training_clip_times(start, end, fps=60, frames=8, interval=8, offset=offset)
    moved = times_inside(times, start, end, fps=fps)
    kept = (times >= start) & (times <= end - 0.5 / fps)
    assert (moved[kept] == times[kept]).all() and (np.diff(moved) >= 0).all()
    shown = np.ceil(moved * fps - 0.5 - 1e-6) / fps  # the nearest frame; the earlier of two as near
    assert (shown > start - 1 / fps).all()
    if length > 1 / fps:
        assert (shown < end + 1e-6).all()


@pytest.mark.parametrize(
    "grid", [(0, 8, 8, 8), (float("nan"), 8, 8, 8), (30, 0, 8, 8), (30, 8, 1.5, 8), (30, 8, 8, -1)]
)
def test_wrong_grids_are_refused(grid):
    with pytest.raises(SamplingError, match="clip grid"):
        ClipGrid(*grid)


def test_wrong_segments_are_refused():
    with pytest.raises(SamplingError, match="start"):
        training_clip_times(2.0, 1.0, fps=30, frames=8, interval=8, offset=0.5)
    with pytest.raises(SamplingError, match="offset"):
        training_clip_times(0.0, 1.0, fps=30, frames=8, interval=8, offset=1.5)
    with pytest.raises(SamplingError, match="duration"):
        ClipGrid(30, 8, 8, 8).num_clips(float("nan"))
    with pytest.raises(SamplingError, match="start"):
        times_inside(np.zeros(3), 2.0, 1.0, fps=30)
    with pytest.raises(SamplingError, match="fps"):
        times_inside(np.zeros(3), 1.0, 2.0, fps=0)
