"""Trimmed segments: which are kept, what tells two lists apart, where one lies in its file."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.data.clips.segments import (
    Segments,
    make_segments,
    mirrored_classes,
    segments_digest,
    span_of,
)


def some(**more) -> Segments:
    fields = {
        "videos": ["a", "b", "a"],
        "starts": np.array([0.0, 1.0, 2.0]),
        "ends": np.array([1.0, 2.5, math.inf]),
        "targets": np.array([[0], [1], [2]]),
        "paths": {"a": "a.mp4", "b": "b.mp4"},
    }
    return Segments(**fields | more)


def test_a_mask_keeps_each_part_of_a_segment_together():
    segments = some(shapes=np.array([5, 6, 7]), mirrored=np.array([2, 1, 0]))
    kept = segments.only(np.array([True, False, True]))
    assert kept.videos == ["a", "a"] and len(kept) == 2
    assert kept.starts.tolist() == [0, 2] and kept.ends.tolist() == [1, math.inf]
    assert kept.targets.tolist() == [[0], [2]] and kept.shapes.tolist() == [5, 7]
    assert kept.paths == segments.paths and kept.mirrored is segments.mirrored
    assert some().only(np.ones(3, bool)).shapes is None
    assert len(segments.only(np.zeros(3, bool))) == 0


def test_rows_of_videos_that_were_not_found_are_left_out():
    rows = pd.DataFrame({"video": ["a", "x", "b"], "start": [0, 1, 2], "end": [1, 2, 3]})
    found = make_segments(rows, np.array([[4], [5], [6]]), {"b": "b.mp4", "a": "a.mp4"})
    assert found.videos == ["a", "b"] and found.targets.tolist() == [[4], [6]]
    assert found.starts.dtype == float and found.ends.tolist() == [1, 3]


@pytest.mark.parametrize(
    "change",
    [
        {"videos": ["a", "b", "c"]},
        {"starts": np.array([0.0, 1.0, 2.1])},
        {"ends": np.array([1.0, 2.5, 3.0])},
        {"targets": np.array([[0], [1], [1]])},
        {"shapes": np.zeros(3, int)},
    ],
)
def test_a_digest_tells_lists_apart(change):
    assert segments_digest(some()) == segments_digest(some(paths={}))
    assert segments_digest(some(**change)) != segments_digest(some())


def test_a_digest_tells_shapes_apart():
    one, other = some(shapes=np.array([0, 0, 1])), some(shapes=np.array([0, 1, 0]))
    assert segments_digest(one) != segments_digest(other) and segments_digest(
        one
    ) == segments_digest(some(shapes=[0, 0, 1]))


def test_a_segment_without_end_is_the_whole_file():
    class Endless:
        info = SimpleNamespace(duration=None)
        end_time = None

        def frames_at(self, times):
            assert times == [math.inf]  # decodes to the end
            self.end_time = 4.5
            yield from ()

    told = SimpleNamespace(info=SimpleNamespace(duration=9.0))
    assert span_of(some(), 1, told) == (1.0, 2.5)
    assert span_of(some(), 2, told) == (2.0, 9.0)
    assert span_of(some(), 2, Endless()) == (2.0, 4.5)


def test_classes_in_the_mirror():
    names = ["push left to right", "push right to left", "turn", "Left up", "Right up", "leftover"]
    names += ["lift right"]  # has no mirror image among the classes: it is its own
    assert mirrored_classes(names).tolist() == [1, 0, 2, 4, 3, 5, 6]


@pytest.mark.parametrize(
    ("names", "mirror"),
    [
        (["LEFT hand", "RIGHT hand"], [1, 0]),
        (["Left hand", "RIGHT hand", "Right hand"], [2, 1, 0]),  # the case is kept
        (["lEFT", "right"], [1, 1]),  # no case to keep
        (["TURN LEFT"], [0]),
        (["Clockwise", "Counter-clockwise"], [1, 0]),
        (["TURN CLOCKWISE", "turn anti clockwise"], [1, 0]),
        (["Clockwise", "clockwise"], [0, 1]),
        (["Left, clockwise", "RIGHT, CounterClockwise"], [1, 0]),
    ],
)
def test_classes_in_the_mirror_in_any_case(names, mirror):
    assert mirrored_classes(names).tolist() == mirror
