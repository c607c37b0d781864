"""Which training videos choose the epoch: by id and seed alone, never none nor all of several."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.hold_out import hold_out_videos

VIDEOS = [f"P{person:02d}/P{person:02d}_{video}" for person in range(40) for video in range(25)]


def test_the_share_is_held_out_and_every_video_is_on_one_side():
    train, held = hold_out_videos(VIDEOS, 0.2, 0)
    assert sorted(train + held) == sorted(VIDEOS) and not set(train) & set(held)
    assert 160 < len(held) < 240
    assert hold_out_videos(VIDEOS, 0.2, 0) == (train, held)
    assert set(hold_out_videos(VIDEOS, 0.2, 1)[1]) != set(held)
    assert set(held) <= set(hold_out_videos(VIDEOS, 0.4, 0)[1])


def test_neither_order_nor_other_videos_change_a_videos_side():
    _, held = hold_out_videos(VIDEOS, 0.2, 3)
    shuffled = random.Random(0).sample(VIDEOS, len(VIDEOS))
    train, same = hold_out_videos(shuffled, 0.2, 3)
    assert set(same) == set(held)
    assert train == [video for video in shuffled if video not in set(held)]
    _, more = hold_out_videos([*VIDEOS, "another", "one more"], 0.2, 3)
    assert set(more) - {"another", "one more"} == set(held)
    _, fewer = hold_out_videos(VIDEOS[:500], 0.2, 3)
    assert set(fewer) == set(held) & set(VIDEOS[:500])


@given(st.integers(2, 6), st.floats(1e-6, 0.999), st.integers(0, 50))
def test_of_a_few_videos_some_train_and_some_are_held_out(count, share, seed):
    train, held = hold_out_videos([f"v{k}" for k in range(count)], share, seed)
    assert train and held and len(train) + len(held) == count


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_one_video_trains(share):
    assert hold_out_videos(["a"], share, 0) == (["a"], [])
    assert hold_out_videos([], share, 0) == ([], [])


def test_nothing_is_held_out_unless_asked():
    assert hold_out_videos(VIDEOS, 0.0, 0) == (VIDEOS, [])
