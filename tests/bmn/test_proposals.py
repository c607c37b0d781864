"""Decoding of maps against the public implementation and double loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bmn import BMNError, decode_proposals
from bmn.proposals import PROPOSAL_COLUMNS, boundary_peaks


def textbook(start, end, maps):
    """Double loop over durations and starts."""

    def is_peak(values, t):
        higher = 0 < t < len(values) - 1 and values[t] > values[t - 1] and values[t] > values[t + 1]
        return higher or values[t] > 0.5 * values.max()

    length, rows = len(start), []
    for d in range(maps.shape[1]):
        for s in range(length):
            e = s + d + 1
            if (
                e < length
                and (s == 0 or is_peak(start, s))
                and (e == length - 1 or is_peak(end, e))
            ):
                parts = [start[s], end[e], maps[1, d, s], maps[0, d, s]]
                rows.append([s / length, e / length, *parts, np.prod(parts)])
    return np.array(rows).reshape(-1, 7)


def test_proposals_equal_the_public_ones_in_order(reference):
    vectors = reference("proposals.npz")
    maps = [vectors[name] for name in ("start", "end", "confidence_map")]
    ours = decode_proposals(*maps)
    assert ours.shape == vectors["proposals"].shape
    assert np.abs(ours - vectors["proposals"]).max() < 1e-6
    assert tuple(vectors["proposal_columns"]) == PROPOSAL_COLUMNS
    tensors = decode_proposals(*(torch.from_numpy(table) for table in maps))
    assert np.array_equal(tensors, ours)


def test_powers_give_the_public_score_that_soft_nms_takes(reference):
    vectors = reference("proposals.npz")
    maps = [vectors[name] for name in ("start", "end", "confidence_map")]
    ours = decode_proposals(*maps, cls_power=1.2, reg_power=1.0, boundary_power=0.0)
    assert np.abs(ours[:, 6] - vectors["nms_input_score"]).max() < 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_proposals_equal_the_double_loop(seed):
    rng = np.random.default_rng(seed)
    length, durations = [(1, 1), (2, 2), (9, 4), (9, 9), (30, 12), (12, 20)][seed]
    start, end = rng.random(length) ** 3, rng.random(length) ** 3
    maps = rng.random((2, durations, length))
    ours, theirs = decode_proposals(start, end, maps), textbook(start, end, maps)
    assert ours.shape == theirs.shape and np.allclose(ours, theirs)


def test_seconds_per_position_scales_the_segments():
    rng = np.random.default_rng(0)
    maps = rng.random(20), rng.random(20), rng.random((2, 5, 20))
    share, seconds = decode_proposals(*maps), decode_proposals(*maps, seconds_per_position=0.25)
    assert np.allclose(seconds[:, :2], share[:, :2] * 20 * 0.25)
    assert np.array_equal(seconds[:, 2:], share[:, 2:])


def test_peaks_are_strict_or_above_half():
    values = np.array([0.1, 0.3, 0.2, 0.4, 0.4, 0.1, 1.0, 0.6])
    assert np.flatnonzero(boundary_peaks(values)).tolist() == [1, 6, 7]


def test_misfitting_maps_are_refused():
    with pytest.raises(BMNError, match="do not fit"):
        decode_proposals(np.ones(5), np.ones(5), np.ones((2, 3, 6)))
    with pytest.raises(BMNError, match="do not fit"):
        decode_proposals(np.ones(5), np.ones(4), np.ones((2, 3, 5)))
