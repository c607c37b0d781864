"""Decoding of maps against the public implementation and double loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bmn import BMNError, decode_proposals, fuse_windows
from bmn.proposals import PROPOSAL_COLUMNS, boundary_peaks
from bmn.targets import batch_targets, valid_mask, window_targets
from bmn.windows import sliding_windows


def textbook(start, end, maps, center=0):
    """Double loop over durations and starts."""

    def is_peak(values, t):
        higher = 0 < t < len(values) - 1 and values[t] > values[t - 1] and values[t] > values[t + 1]
        return higher or values[t] > 0.5 * values.max()

    length, rows = len(start), []
    for d in range(maps.shape[1]):
        for s in range(length):
            e = s + d + 1 if center == 0 else s + d
            if (
                e < length
                and (s == 0 or is_peak(start, s))
                and (e == length - 1 or is_peak(end, e))
            ):
                parts = [start[s], end[e], maps[1, d, s], maps[0, d, s]]
                rows.append([s / length, (s + d + 1) / length, *parts, np.prod(parts)])
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


@pytest.mark.parametrize("center", [0, 0.5])
@pytest.mark.parametrize("seed", range(6))
def test_proposals_equal_the_double_loop(seed, center):
    rng = np.random.default_rng(seed)
    length, durations = [(1, 1), (2, 2), (9, 4), (9, 9), (30, 12), (12, 20)][seed]
    start, end = rng.random(length) ** 3, rng.random(length) ** 3
    maps = rng.random((2, durations, length))
    ours = decode_proposals(start, end, maps, boundary_center=center)
    theirs = textbook(start, end, maps, center)
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


def best_of_perfect_signals(segments, scale, durations, center, **powers):
    """The best proposal [N, 2] in positions for each of N segments, each in a window of its own."""
    tables = torch.from_numpy(segments)[:, None], torch.ones(len(segments), 1, dtype=torch.bool)
    targets = batch_targets(*tables, scale, durations, center)
    best = []
    for start, end, iou in zip(*(table.numpy() for table in targets), strict=True):
        decoded = decode_proposals(
            start,
            end,
            np.stack([iou, iou]),
            seconds_per_position=1.0,
            boundary_center=center,
            **powers,
        )
        best.append(decoded[decoded[:, -1].argmax(), :2])
    return np.array(best)


BOUNDARIES_ALONE = {"cls_power": 0.0, "reg_power": 0.0}
MAP_ALONE = {"boundary_power": 0.0}


@pytest.mark.parametrize(
    ("powers", "early"), [({}, 0.26), (BOUNDARIES_ALONE, 0.5), (MAP_ALONE, 0.0)]
)
def test_a_perfect_signal_has_no_mean_error(powers, early):
    """Labels as probabilities, tIoU as the map: no bias with 0.5, early with 0.

    The map knows the right cells with either; how far it corrects the boundaries is its weight.
    """
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 80, 1000)
    segments = np.stack([starts, starts + rng.uniform(2, 19, 1000)], axis=1)
    error = best_of_perfect_signals(segments, 100, 20, 0.5, **powers) - segments
    assert np.abs(error.mean(0)).max() < 0.05
    assert np.abs(error).max() <= 1.0
    public = best_of_perfect_signals(segments, 100, 20, 0, **powers) - segments
    assert np.abs(public.mean(0) + early).max() < 0.05


def test_an_action_up_to_the_end_is_found_exactly():
    segments = np.array([[start, 30.0] for start in range(10, 30)])
    assert np.array_equal(best_of_perfect_signals(segments, 30, 20, 0.5), segments)
    assert (best_of_perfect_signals(segments[:-1], 30, 20, 0)[:, 1] == 29).all()


def test_an_action_up_to_the_end_of_fused_windows_is_found_exactly():
    length, scale, segment = 53, 20, np.array([[46.0, 53.0]])
    offsets = sliding_windows(length, scale, 10)
    parts = [window_targets(segment, (o, o + scale), scale, 10, 0.5) for o in offsets.tolist()]
    start, end, iou = (torch.stack(table) for table in zip(*parts, strict=True))
    maps = fuse_windows(
        offsets, start, end, torch.stack([iou, iou], 1), valid_mask(10, scale), length
    )
    decoded = decode_proposals(*maps, seconds_per_position=1.0, boundary_center=0.5)
    assert decoded[decoded[:, -1].argmax(), :2].tolist() == [46.0, 53.0]


def test_misfitting_maps_are_refused():
    with pytest.raises(BMNError, match="do not fit"):
        decode_proposals(np.ones(5), np.ones(5), np.ones((2, 3, 6)))
    with pytest.raises(BMNError, match="do not fit"):
        decode_proposals(np.ones(5), np.ones(4), np.ones((2, 3, 5)))
    with pytest.raises(BMNError, match="boundary_center 1"):
        decode_proposals(np.ones(5), np.ones(5), np.ones((2, 3, 5)), boundary_center=1.0)
