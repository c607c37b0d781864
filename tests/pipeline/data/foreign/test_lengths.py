"""Lengths that do not fit: what is said to fit instead, and what is let through."""

from __future__ import annotations

import math

import numpy as np
import pytest

from feature_extraction.sampling import ClipGrid
from pipeline.data.foreign.clocks import Known, Stated
from pipeline.data.foreign.lengths import Shape, misfits

SECONDS = np.array([61.0, 95.5, 130.2, 44.0, 210.7, 72.3])
STATED = Stated(ClipGrid(30, 16, 1, 16))


def shapes(numbers, channels=400, known=True, ends=40.0):
    channels = np.broadcast_to(channels, len(numbers))
    return {
        f"v{i}": Shape(int(n), int(c), Known(SECONDS[i] if known else math.nan, ends, math.nan))
        for i, (n, c) in enumerate(zip(numbers, channels, strict=True))
    }


def made_at(seconds, stride, fps, frames=16):
    """How many whole clips an extractor makes."""
    return np.floor((seconds * fps - frames) / stride).astype(int) + 1


def only(found):
    assert len(found) == len(SECONDS) and len(set(found.values())) == 1, found
    return next(iter(found.values()))


@pytest.mark.parametrize("frames", [1, 16, 64])
def test_right_ones_fit_also_where_the_last_clip_is_missing(frames):
    stated = Stated(ClipGrid(30, frames, 1, 16))
    assert misfits(shapes(made_at(SECONDS, 16, 30, frames)), stated) == {}
    assert misfits(shapes(np.ceil(SECONDS * 30 / 16)), stated) == {}
    assert misfits(shapes(made_at(SECONDS, 16, 30, frames), known=False), stated) == {}


@pytest.mark.parametrize(
    ("stride", "fps", "said"),
    [
        (4, 30, "the features fit --stride 4, not 16"),
        (8, 30, "the features fit --stride 8 or --fps 60, not 16 and 30"),
        (16, 25, "the features fit --fps 25, not 30"),
        (16, 15, "the features fit --stride 32 or --fps 15, not 16 and 30"),
        (7, 30, "the features fit --stride 7, not 16"),
        (16, 41.3, "a rate of 2.5"),
    ],
)
def test_another_rate_is_named(stride, fps, said):
    line = only(misfits(shapes(made_at(SECONDS, stride, fps)), STATED))
    assert said in line and line.startswith("with another length than the video's (")


def test_a_rate_that_each_video_could_be_off_by_is_seen_of_all_together():
    """25 frames per second taken for 30: short videos are off by less than a long clip."""
    seconds = SECONDS / 8
    stated = Stated(ClipGrid(30, 32, 2, 2))
    found = {
        f"v{i}": Shape(int(n), 400, Known(s, 0.0, math.nan))
        for i, (n, s) in enumerate(zip(made_at(seconds, 2, 25, 1), seconds, strict=True))
    }
    assert "--fps 25" in only(misfits(found, stated))
    right = {
        f"v{i}": Shape(int(n), 400, Known(s, 0.0, math.nan))
        for i, (n, s) in enumerate(zip(made_at(seconds, 2, 30, 63), seconds, strict=True))
    }
    assert misfits(right, stated) == {}


def test_one_video_that_is_off_is_one_video_that_is_off():
    numbers = made_at(SECONDS, 16, 30)
    numbers[2] *= 3
    assert misfits(shapes(numbers), STATED) == {
        "v2": "with another length than the video's (are --fps and --stride right?)"
    }


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("layout", ["nc", "cn"])
def test_turned_ones_are_named_with_and_without_known_lengths(known, layout):
    numbers = made_at(SECONDS, 16, 30)
    stated = Stated(STATED.grid, layout)
    line = only(misfits(shapes(np.full(6, 400), numbers, known), stated))
    axes = "[channels, features]" if layout == "nc" else "[features, channels]"
    assert axes in line and "--channels-first" in line


def test_one_turned_video_of_all_of_a_length_too_short_for_its_segments():
    found = misfits({"a": Shape(40, 400, Known(math.nan, 190.0, math.nan))}, STATED)
    assert "--channels-first?" in found["a"] and "--stride right?" in found["a"]


def test_one_turned_among_others_whose_lengths_are_not_known():
    numbers = made_at(SECONDS, 16, 30)
    channels = np.full(6, 400)
    numbers[3], channels[3] = 400, numbers[3]
    found = misfits(shapes(numbers, channels, known=False), STATED)
    assert list(found) == ["v3"] and "give --channels-first" in found["v3"]


def test_without_lengths_features_reach_the_last_segment():
    found = misfits(shapes(made_at(SECONDS, 16, 30), known=False, ends=300.0), STATED)
    assert "that end before the last segment of the video does, 6" in found["v3"]
    assert "--fps and --stride" in found["v3"]


def test_all_of_one_number_are_rescaled_ones():
    line = only(misfits(shapes(np.full(6, 100)), STATED))
    assert "give --rescaled 100 in place of --fps and --stride" in line
    assert misfits(shapes(np.full(6, 100)), Stated(STATED.grid, "nc", "rescaled", 100)) == {}
