"""Training targets against the public implementation and a loop over cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bmn.errors import BMNError
from bmn.targets import (
    batch_targets,
    pad_segments,
    segment_positions,
    valid_mask,
    window_targets,
)


def textbook(positions, temporal_scale, duration_scale, centers=(0.5, 0.5)):
    """Targets a cell at a time."""

    def span_overlap(low, high, other_low, other_high):
        return max(0.0, min(high, other_high) - max(low, other_low))

    boundaries = np.zeros((2, temporal_scale))
    iou = np.zeros((duration_scale, temporal_scale))
    for t in range(temporal_scale):
        for side in range(2):
            low = t + centers[side] - 1.0
            for point in positions[:, side]:
                shared = span_overlap(low, low + 2.0, point - 1.5, point + 1.5) / 2.0
                boundaries[side, t] = max(boundaries[side, t], shared)
        for d in range(duration_scale):
            for low, high in positions:
                shared = span_overlap(t, t + d + 1, low, high)
                iou[d, t] = max(iou[d, t], shared / (d + 1 + high - low - shared))
    return boundaries[0], boundaries[1], iou


@pytest.mark.parametrize("window", range(3))
def test_targets_equal_the_public_ones(reference, window):
    vectors = reference("bmn_labels.npz")
    segments, span = vectors[f"{window}/segments"], tuple(vectors[f"{window}/window"])
    targets = window_targets(segments, span, 40, 20)
    for name in ("start", "end", "iou"):
        ours = getattr(targets, name)
        assert ours.dtype == torch.float32
        assert np.abs(ours.numpy() - vectors[f"{window}/{name}"]).max() < 1e-6


def test_valid_mask_equals_the_public_one(reference):
    assert np.array_equal(valid_mask(20, 40).numpy(), reference("bmn_labels.npz")["valid_mask"])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-20, 30), st.floats(0, 25)), max_size=5),
    st.sampled_from([(0, (0.5, 0.5)), (0.5, (0.0, 1.0))]),
)
def test_targets_equal_the_textbook(drawn, center):
    segments = np.array([(start, start + length) for start, length in drawn]).reshape(-1, 2)
    ours = window_targets(segments, (2.0, 18.0), 12, 7, center[0])
    for mine, theirs in zip(
        ours, textbook((segments - 2.0) * (12 / 16.0), 12, 7, center[1]), strict=True
    ):
        assert np.abs(mine.numpy() - theirs).max() < 1e-6


def test_long_windows_stay_exact():
    rng = np.random.default_rng(0)
    starts = rng.uniform(3000, 3050, 20)
    segments = np.stack([starts, starts + rng.uniform(0.3, 9, 20)], axis=1)
    ours = window_targets(segments, (3000.0, 3053.4), 200, 30)
    positions = (segments - 3000.0) * (200 / 53.4)
    for mine, theirs in zip(ours, textbook(positions, 200, 30), strict=True):
        assert np.abs(mine.numpy() - theirs).max() < 1e-6


def test_batched_equals_single():
    rng = np.random.default_rng(1)
    tables = []
    for count in (4, 0, 1, 9):
        starts = rng.uniform(0, 40, count)
        tables.append(np.stack([starts, starts + rng.uniform(0, 9, count)], axis=1))
    positions = [segment_positions(table, (0.0, 50.0), 25) for table in tables]
    batch = batch_targets(*pad_segments(positions), 25, 10)
    assert batch.iou.shape == (4, 10, 25)
    for row, table in enumerate(tables):
        for mine, whole in zip(window_targets(table, (0.0, 50.0), 25, 10), batch, strict=True):
            assert torch.equal(mine, whole[row])


def test_no_segments_and_reversed_segments_give_zeros():
    empty = window_targets(np.zeros((0, 2)), (0.0, 10.0), 8, 4)
    assert [tuple(table.shape) for table in empty] == [(8,), (8,), (4, 8)]
    assert all(table.abs().sum() == 0 for table in empty)
    reversed_segment = window_targets(np.array([[5.0, 4.0], [6.0, 6.0]]), (0.0, 8.0), 8, 8)
    assert reversed_segment.iou.abs().sum() == 0


@pytest.mark.parametrize("center", [0, 0.5])
def test_a_boundary_marks_its_nearest_label_fully_and_three_as_positive(center):
    """So the loss (targets above 0.5) sees as many positives with either centre."""
    times = np.random.default_rng(0).uniform(3, 17, 200)
    for time in times:
        targets = window_targets(np.array([[time, time]]), (0.0, 20.0), 20, 5, center)
        places = np.arange(20) + (0.5 if center == 0 else 0.0)
        for labels, at in ((targets.start, places), (targets.end, places + 2 * center)):
            assert labels[np.abs(at - time).argmin()] == 1.0
            assert (labels > 0.5).sum() == 3


def test_edges_of_the_window_have_labels_of_their_own():
    targets = window_targets(np.array([[0.0, 20.0]]), (0.0, 20.0), 20, 20, 0.5)
    assert targets.start[0] == targets.end[-1] == targets.iou[19, 0] == 1.0
    assert targets.start.argmax() == 0 and targets.end.argmax() == 19


def test_bad_input_is_refused():
    with pytest.raises(BMNError, match=r"boundary_center 0\.3"):
        window_targets(np.zeros((1, 2)), (0.0, 3.0), 8, 4, 0.3)
    with pytest.raises(BMNError, match="no length"):
        window_targets(np.array([[1.0, 2.0]]), (3.0, 3.0), 8, 4)
    with pytest.raises(BMNError, match="shape"):
        window_targets(np.zeros((2, 3)), (0.0, 3.0), 8, 4)
