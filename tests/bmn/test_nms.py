"""Soft-NMS against the public picks and the plain loop over all proposals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmn import BMNError, nms, soft_nms


def textbook(segments, scores, alpha, low, high, power, count, duration=1.0):
    """Every remaining proposal is compared with every pick."""
    current = scores.astype(float).copy()
    remaining = np.ones(len(scores), dtype=bool)
    picks, kept = [], []
    while remaining.any() and len(picks) < count:
        best = int(np.argmax(np.where(remaining, current, -np.inf)))
        remaining[best] = False
        picks.append(best)
        kept.append(current[best])
        start, end = segments[best]
        for other in np.flatnonzero(remaining):
            shared = max(0.0, min(end, segments[other, 1]) - max(start, segments[other, 0]))
            union = (end - start) + (segments[other, 1] - segments[other, 0]) - shared
            tiou = shared / union if union > 0 else 0.0
            if tiou > low + (high - low) * (end - start) / duration:
                current[other] *= np.exp(-(tiou**power) / alpha)
    return np.array(picks, dtype=int), np.array(kept)


@pytest.mark.parametrize("case", range(3))
def test_picks_equal_the_public_ones(reference, case):
    vectors = reference("proposals.npz")
    alpha, low, high, power, count = vectors[f"nms{case}/params"]
    index, score = soft_nms(
        vectors["proposals"][:, :2],
        vectors["nms_input_score"],
        alpha=alpha,
        low=low,
        high=high,
        power=power,
        count=int(count),
    )
    assert np.array_equal(index, vectors[f"nms{case}/index"])
    assert np.abs(score - vectors[f"nms{case}/score"]).max() < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 60),
    st.sampled_from([0.05, 0.4, 1.0]),
    st.sampled_from([(0.0, 0.0), (0.25, 0.9), (0.65, 0.9), (0.9, 0.25)]),
    st.sampled_from([1.0, 2.0]),
    st.booleans(),
    st.integers(0, 2**20),
)
def test_equals_the_plain_loop(count, alpha, thresholds, power, ties, seed):
    rng = np.random.default_rng(seed)
    amount = int(rng.integers(0, 80))
    starts, widths, scores = rng.random((3, amount))
    widths *= rng.choice([0.05, 0.6])
    if ties:  # few distinct values: equal scores, equal starts, touching and empty segments
        starts, widths, scores = (np.round(part, 1) for part in (starts, widths, scores))
    segments = np.stack([starts, starts + widths], axis=1)
    settings_ = {"alpha": alpha, "low": thresholds[0], "high": thresholds[1], "power": power}
    index, score = soft_nms(segments, scores, **settings_, count=count)
    expected_index, expected_score = textbook(segments, scores, **settings_, count=count)
    assert np.array_equal(index, expected_index)
    assert np.allclose(score, expected_score, rtol=1e-12)


def test_many_blocks_equal_the_plain_loop():
    rng = np.random.default_rng(5)
    starts = rng.integers(0, 400, 1500).astype(float)
    segments = np.stack([starts, starts + rng.integers(1, 12, 1500)], axis=1)
    scores = np.round(rng.random(1500), 2)
    options = {"alpha": 0.4, "low": 0.25, "high": 0.9, "power": 2.0, "count": 150}
    index, score = soft_nms(segments, scores, **options, duration=412.0)
    expected_index, expected_score = textbook(segments, scores, **options, duration=412.0)
    assert np.array_equal(index, expected_index)
    assert np.allclose(score, expected_score, rtol=1e-12)


def test_the_unit_does_not_matter_when_the_duration_is_told():
    rng = np.random.default_rng(2)
    starts, widths, scores = rng.random((3, 50))
    segments = np.stack([starts, starts + 0.3 * widths], axis=1)
    options = {"alpha": 0.4, "low": 0.2, "high": 0.9, "count": 50}
    index, score = soft_nms(segments, scores, **options)
    in_seconds = soft_nms(segments * 64.0, scores, **options, duration=64.0)
    assert np.array_equal(index, in_seconds[0]) and np.allclose(score, in_seconds[1])


def test_total_decay_does_not_bring_a_pick_back():
    segments = np.repeat([[0.0, 1.0]], 4, axis=0)
    index, score = soft_nms(segments, np.ones(4), alpha=1e-6, low=0, high=0, count=9)
    assert index.tolist() == [0, 1, 2, 3] and score.tolist() == [1, 0, 0, 0]


def test_no_proposals_no_picks():
    options = {"alpha": 0.4, "low": 0.0, "high": 0.0}
    for segments, count in ((np.zeros((0, 2)), 5), (np.array([[0.0, 1.0]]), 0)):
        index, score = soft_nms(segments, np.ones(len(segments)), **options, count=count)
        assert len(index) == len(score) == 0


@pytest.mark.parametrize(
    ("segments", "scores", "alpha", "word"),
    [
        ([[0.0, 1.0]], [1.0, 2.0], 0.4, "do not fit"),
        ([[0.0, np.nan]], [1.0], 0.4, "finite"),
        ([[1.0, 0.5]], [1.0], 0.4, "segment 0 ends before"),
        ([[0.0, 1.0]], [1.0], 0.0, "alpha 0.0"),
    ],
)
def test_bad_input_is_refused(segments, scores, alpha, word):
    with pytest.raises(BMNError, match=word):
        soft_nms(np.array(segments), np.array(scores), alpha=alpha, low=0, high=0, count=1)


def test_few_and_many_give_the_same_to_the_last_digit(monkeypatch):
    rng = np.random.default_rng(8)
    starts = rng.integers(0, 40, 300).astype(float)
    segments = np.stack([starts, starts + rng.integers(0, 9, 300)], axis=1)
    options = {"alpha": 0.4, "low": 0.25, "high": 0.9, "count": 300, "duration": 50.0}
    for scores in (rng.random(300), np.round(rng.random(300), 1), rng.random(300) - 0.5):
        few = soft_nms(segments, scores, **options)
        with monkeypatch.context() as patch:
            patch.setattr(nms, "FEW", 0)
            many = soft_nms(segments, scores, **options)
        assert np.array_equal(few[0], many[0]) and np.array_equal(few[1], many[1])


def test_limits_below_0_take_in_nothing_that_is_apart():
    segments = np.array([[0.0, 4.0], [1.0, 2.0], [3.0, 3.5], [5.0, 9.0]])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    options = {"alpha": 0.4, "low": -0.5, "high": -0.5, "power": 2.0, "count": 4}
    index, score = soft_nms(segments, scores, **options)
    expected_index, expected_score = textbook(segments, scores, **options)
    assert np.array_equal(index, expected_index) and np.allclose(score, expected_score)
