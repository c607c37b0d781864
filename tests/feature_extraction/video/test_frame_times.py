"""Asked times and the frames that answer them, against looking at every frame; spans of damage."""

from __future__ import annotations

from itertools import count, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_extraction.video.frame_times import (
    AskedTimes,
    Damage,
    FramePlan,
    LateSeekError,
    Remembered,
    UnplannableError,
    boundary,
    grid_times,
    last_grid_time,
)

TICK = 1 / 1000


def naive(ticks, asked, end):
    """Frame -> indices of the asked times it is nearest to, the earlier frame on a tie."""
    times, answers = np.array(ticks) * TICK, {}
    for index, time in enumerate(asked):
        if time < end - 1e-6:
            place = int(np.argmin(np.round(np.abs(times - time), 6)))
            answers.setdefault(ticks[place], []).append(index)
    return answers


def reorder(ticks, depth, rng):
    """Decode order: as shown, but shuffled within groups of `depth`."""
    groups = [ticks[at : at + depth] for at in range(0, len(ticks), depth)]
    return [tick for group in groups for tick in rng.permutation(group).tolist()]


def run(decode_order, asked, ahead=40, final_fps=None, **options):
    """Drive a plan as a pass does; first tick 0."""
    plan = FramePlan(
        AskedTimes(enumerate(asked)), 0, TICK, **{"from_start": True, "clamp": False, **options}
    )
    answers, needed, waiting = {}, set(), []

    def decide(tick):
        indices, must = plan.wanted(tick)
        if indices:
            answers[tick] = indices
        if must:
            needed.add(tick)

    for tick in decode_order:
        plan.add(tick, 33)
        waiting.append(tick)
        if len(waiting) > ahead:
            decide(waiting.pop(0))
    plan.close(0.04, final_fps)
    for tick in waiting:
        decide(tick)
    return plan, answers, needed


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=120),
    st.lists(st.floats(0, 6), max_size=60).map(sorted),
    st.integers(1, 16),
    st.integers(0, 2**32 - 1),
)
def test_a_plan_finds_the_nearest_frames(gaps, asked, depth, seed):
    ticks = [0, *np.cumsum(gaps).tolist()]
    plan, answers, needed = run(reorder(ticks, depth, np.random.default_rng(seed)), asked)
    assert plan.end == pytest.approx((ticks[-1] + 33) * TICK)
    assert answers == naive(ticks, asked, plan.end)
    assert needed == {*answers, ticks[-1]}


def test_a_long_video_with_a_long_look_ahead():
    ticks = list(range(0, 33 * 9000, 33))
    asked = [k * 0.4 for k in range(1000)]
    order = reorder(ticks, 8, np.random.default_rng(0))
    plan, answers, _ = run(order, asked, ahead=600, final_fps=0.1)
    expected = naive(ticks, asked, plan.end)
    final = min(ticks, key=lambda tick: abs(tick * TICK - last_grid_time(plan.end, 0.1)))
    expected.setdefault(final, []).append(-1)
    assert answers == expected


def test_orders_no_plan_can_be_made_of():
    with pytest.raises(UnplannableError):  # times further out of order than is looked ahead
        run([33 * k for k in range(1, 100)] + [0], [0.0, 1.0])
    with pytest.raises(UnplannableError):
        run([0, 33, 33], [0.0])
    with pytest.raises(UnplannableError):
        run([0, None], [0.0])
    with pytest.raises(UnplannableError):
        run([], [0.0])
    with pytest.raises(UnplannableError):
        run([0, 10**9], [0.0])
    with pytest.raises(LateSeekError):
        run([500, 533], [0.4], from_start=False, clamp=True)
    _, answers, _ = run([500, 533], [0.5, 0.6, 9.0], from_start=False, clamp=True)
    assert answers == {500: [0], 533: [1, 2]}


def test_a_frame_shown_too_early_is_noticed():
    plan = FramePlan(AskedTimes(enumerate([0.0])), 0, TICK, from_start=True, clamp=False)
    for tick in (0, 66, 33, 99):
        plan.add(tick, 33)
    plan.wanted(0)
    plan.wanted(66)
    plan.check_shown(0)
    with pytest.raises(UnplannableError):
        plan.check_shown(66)  # 33 is to come
    plan.wanted(33)
    plan.check_shown(66)


def test_endless_times_are_drawn_as_needed():
    drawn = []
    source = Remembered(drawn.append(k) or k / 10 for k in count())
    asked = AskedTimes(source.again())
    assert asked.take(-1, 0.45) == [0, 1, 2, 3, 4] and len(drawn) < 8
    source.forget(2)
    assert list(islice(source.again(), 4)) == [(3, 0.3), (4, 0.4), (5, 0.5), (6, 0.6)]
    assert AskedTimes(iter([])).done and list(grid_times(None)) == []


@given(st.integers(1, 5000), st.sampled_from([60, 30, 29.97, 7.3]))
def test_last_grid_time(frames, fps):
    assert last_grid_time(frames / fps, fps) == pytest.approx((frames - 1) / fps)


def test_a_tie_goes_to_the_earlier_frame():
    assert boundary(0.1, 0.3) > 0.2
    _, answers, _ = run([0, 100], [0.05, 0.0501])
    assert answers == {0: [0], 100: [1]}


def test_damage_lasts_to_the_next_sound_key_frame():
    damage = Damage()
    assert damage.spans(9.0, None) == []
    damage.sound_key(0.0)
    damage.begin(2.5)
    damage.begin(2.0)  # found later, shown earlier
    damage.sound_key(2.0)  # not after it: no end
    damage.begin(3.0)
    damage.sound_key(4.0)
    damage.sound_key(5.0)
    assert damage.spans(9.0, None) == [(2.0, 4.0)]
    damage.begin(8.0)
    assert damage.spans(9.0, None) == [(2.0, 4.0), (8.0, 9.0)]
    assert damage.spans(9.0, 12.0) == [(2.0, 4.0), (8.0, 12.0)]
    assert damage.spans(7.0, None) == [(2.0, 4.0)]


def test_damage_before_the_first_frame_begins_with_it_and_spans_that_touch_are_one():
    damage = Damage()
    damage.begin(-0.5)
    damage.sound_key(1.0)
    damage.begin(1.0)
    damage.sound_key(1.5)
    assert damage.spans(3.0, None) == [(0.0, 1.5)]
