"""How maps are drawn: nothing where nothing speaks for a class, brightest where most does."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.tools.explain.colours import heat_at, legend, painted, scales_of
from pipeline.tools.explain.looking import Explained
from pipeline.tools.explain.moments import MOST_SECONDS, Moment
from pipeline.tools.explain.sheet import columns_of, headline, row_title
from pipeline.tools.explain.targets import Target

A, B, VERB = Target(0, 0, "a"), Target(0, 1, "b", against=True), Target(1, 0, "v")


def explained(maps, targets=(A,), times=None):
    count = maps.shape[1]
    times = np.arange(count, dtype=float) if times is None else np.asarray(times)
    frames = np.full((count, 12, 16, 3), 100, np.uint8)
    one = np.zeros((len(targets), 1), np.float32)
    moment = Moment(0.0, float(count), 0.5, "a", tuple(targets))
    return Explained(moment, times, frames, maps, np.zeros(1), one, one, {})


def test_what_is_not_above_zero_is_only_dimmed():
    frame = np.full((8, 8, 3), 200, np.uint8)
    cold = painted(frame, np.full((2, 2), -5.0), 1.0)
    assert (cold == cold[0, 0]).all() and 0 < cold[0, 0, 0] < 200
    assert (painted(frame, np.zeros((2, 2)), 1.0) == cold).all()


def test_the_strongest_place_is_the_brightest():
    heat = np.zeros((2, 2))
    heat[1, 0] = 3.0
    drawn = painted(np.full((40, 40, 3), 60, np.uint8), heat, 3.0).astype(int).sum(2)
    row, column = np.unravel_index(drawn.argmax(), drawn.shape)
    assert row >= 20 and column < 20
    assert (
        legend(64, 4).astype(int).sum(2)[0][[0, 63]]
        == sorted(legend(64, 4).astype(int).sum(2)[0][[0, 63]])
    ).all()


def test_classes_of_one_head_share_a_scale():
    maps = np.zeros((3, 2, 1, 1), np.float32)
    maps[:, 1, 0, 0] = 2.0, 8.0, 5.0
    assert scales_of(explained(maps, (A, B, VERB))).tolist() == [8.0, 8.0, 5.0]
    assert (scales_of(explained(-maps - 1, (A, B, VERB))) > 0).all()


def test_between_frames_a_map_changes_in_proportion():
    maps = np.array([[[[0.0]], [[4.0]], [[2.0]]]], np.float32)
    one = explained(maps, times=[1.0, 2.0, 4.0])
    for seconds, value in ((0.0, 0.0), (1.0, 0.0), (1.25, 1.0), (2.0, 4.0), (3.0, 3.0), (9.0, 2.0)):
        assert heat_at(one, 0, seconds) == pytest.approx(value)
    assert heat_at(explained(maps[:, :1]), 0, 7.0) == pytest.approx(0.0)


def test_columns_are_spread_from_the_first_frame_to_the_last():
    maps = np.zeros((1, 20, 1, 1), np.float32)
    places = columns_of(explained(maps))
    assert len(places) == 8 and places[0] == 0 and places[-1] == 19
    assert columns_of(explained(maps[:, :3])).tolist() == [0, 1, 2]


def test_headlines():
    maps = np.zeros((1, 2, 1, 1), np.float32)
    assert headline(2, explained(maps)) == "2. a, score 0.500, 0.00 to 2.00 s"
    assert (row_title(A), row_title(B)) == ("a", "against b")


@pytest.mark.parametrize("seconds", [0.0, 0.5, 2.0, 2.1, 2.3, 7.0, 1000.0])
def test_clips_lie_evenly_and_are_not_too_many(seconds):
    from feature_extraction.sampling import ClipGrid

    grid = ClipGrid(fps=16, frames=8, interval=4, stride=8)  # a clip is two seconds
    centres = Moment(10.0, 10.0 + seconds, 1.0, "a", (A,)).centres(grid)
    middle = 10 + seconds / 2
    assert centres.mean() == pytest.approx(middle)
    assert len(centres) == max(1, np.ceil(min(seconds, MOST_SECONDS) / 2 - 0.1))
    assert abs(centres - middle).max() <= MOST_SECONDS / 2
