"""Voting against the plain loop over all proposals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmn import BMNError, soft_nms, vote, voting_weights


def textbook(segments, scores, picks, tiou):
    moved = segments[picks].astype(float)
    for row, (start, end) in enumerate(segments[picks]):
        edges, total = np.zeros(2), 0.0
        for (other_start, other_end), score in zip(segments, scores, strict=True):
            shared = min(end, other_end) - max(start, other_start)
            union = max(end, other_end) - min(start, other_start)
            if union > 0 and shared / union >= tiou:
                weight = score * shared / union
                edges, total = edges + weight * np.array([other_start, other_end]), total + weight
        if total > 0:
            moved[row] = edges / total
    return moved


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 80),
    st.sampled_from([0.05, 0.5, 0.7, 1.0]),
    st.booleans(),
    st.sampled_from([1.0, 5000.0]),
    st.integers(0, 2**20),
)
def test_equals_the_plain_loop(amount, tiou, ties, scale, seed):
    rng = np.random.default_rng(seed)
    starts, widths, scores = rng.random((3, amount))
    widths *= rng.choice([0.05, 0.6])
    if ties:  # whole positions: equal starts, equal segments, empty segments, scores of 0
        starts, widths, scores = (np.round(part, 1) for part in (starts, widths, scores))
    segments = np.stack([starts, starts + widths], axis=1) * scale
    picks = rng.permutation(amount)[: amount // 2 + 1]
    tiou -= 1e-9 if ties else 0.0  # a tIoU of just 0.5 is rounded either way
    expected = textbook(segments, scores, picks, tiou)
    assert np.allclose(vote(segments, scores, picks, tiou), expected, rtol=1e-9, atol=1e-9)


def test_a_lone_proposal_stays_and_so_does_one_without_votes():
    segments = np.array([[0.0, 2.0], [1.9, 4.0], [10.0, 10.0], [20.0, 23.0], [20.0, 23.1]])
    moved = vote(segments, np.array([0.5, 0.5, 0.5, 0.0, 0.0]), np.arange(5), 0.6)
    assert np.allclose(moved, segments)


def test_the_best_voter_pulls_hardest_and_order_is_kept():
    segments = np.array([[0.0, 10.0], [1.0, 11.0], [30.0, 40.0], [30.0, 42.0]])
    scores = np.array([0.9, 0.1, 0.2, 0.2])
    index, _ = soft_nms(segments, scores, alpha=0.4, low=0, high=0, count=4)
    moved = vote(segments, scores, index, 0.5)
    first = moved[index.tolist().index(0)]
    weight = 0.1 * 9 / 11
    assert np.allclose(first, np.array([0.0, 10.0]) + weight / (0.9 + weight))
    assert moved.shape == (4, 2) and (np.abs(moved - segments[index]) < 2).all()


def test_many_proposals_need_no_table_of_all_pairs():
    rng = np.random.default_rng(3)
    starts = rng.uniform(0, 13500, 100_000)
    segments = np.stack([starts, starts + rng.uniform(1, 100, 100_000)], axis=1)
    scores = rng.random(100_000)
    picks = rng.permutation(100_000)[:2000]
    moved = vote(segments, scores, picks, 0.7)
    assert np.allclose(moved[:20], vote_directly(segments, scores, picks[:20], 0.7))


def vote_directly(segments, scores, picks, tiou):
    moved = []
    for start, end in segments[picks]:
        shared = np.minimum(segments[:, 1], end) - np.maximum(segments[:, 0], start)
        ious = shared / (np.maximum(segments[:, 1], end) - np.minimum(segments[:, 0], start))
        weight = np.where(ious >= tiou, scores * ious, 0.0)
        moved.append(weight @ segments / weight.sum())
    return np.array(moved)


def test_no_picks_and_bad_input():
    assert vote(np.zeros((0, 2)), np.zeros(0), np.zeros(0, int), 0.5).shape == (0, 2)
    with pytest.raises(BMNError, match="do not fit"):
        vote(np.zeros((2, 2)), np.zeros(3), np.zeros(0, int), 0.5)
    with pytest.raises(BMNError, match="tiou 0"):
        vote(np.zeros((2, 2)), np.zeros(2), np.zeros(0, int), 0.0)


def test_weights_know_where_boundaries_are_whatever_the_score():
    """Of two voters as good by their score, the one whose ends are likelier boundaries counts more."""
    decoded = np.array(
        # xmin, xmax, its start and end probability, classification, regression, score
        [[0.0, 10.0, 1.0, 1.0, 0.9, 0.9, 0.8], [0.5, 10.0, 0.5, 1.0, 0.9, 0.9, 0.8]]
    )
    weights = voting_weights(decoded)
    np.testing.assert_allclose(weights, [0.8, 0.8 * 0.25])
    (moved,) = vote(decoded[:, :2], weights, np.array([0]), 0.7)
    assert moved[0] == pytest.approx(0.5 * 0.2 * 0.95 / (0.8 + 0.2 * 0.95))
    assert moved[1] == pytest.approx(10.0)
