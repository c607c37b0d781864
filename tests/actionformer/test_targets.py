"""Points and labels against the public implementation's, and against one scalar rule a point."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.actionformer import public_config

from actionformer import ActionFormerError
from actionformer.points import points
from actionformer.targets import assign, learners


@pytest.fixture(scope="session")
def trained(reference):
    return reference("actionformer_train.npz")


def levels_of(reference, network):
    config = public_config(reference("actionformer.npz"), network)
    ranges = config["regression_range"]
    return [2**level for level in range(len(ranges))], ranges, config["max_seq_len"]


@pytest.mark.parametrize("network", ["local", "full"])
def test_points_are_the_public_ones(reference, trained, network):
    made = points(*levels_of(reference, network))
    assert made.dtype == torch.float32
    assert np.array_equal(made, trained[f"{network}/points"])
    assert np.array_equal(made, reference("actionformer.npz")[f"{network}/points"])


def test_points_need_a_range_a_level():
    with pytest.raises(ActionFormerError, match="2 strides and 1 ranges"):
        points([1, 2], [(0, 4)], 8)


@pytest.mark.parametrize("video", ["local/0", "local/1", "local/2", "full/0", "full/1", "full/2"])
def test_labels_are_the_public_ones(trained, video):
    name = video.partition("/")[0]
    expected = trained[f"{video}/cls_target"]
    table = torch.from_numpy(trained[f"{name}/points"])
    made = assign(
        table, trained[f"{video}/segments"], trained[f"{video}/labels"], expected.shape[1]
    )
    assert np.array_equal(made.classes, expected)
    labelled = expected.sum(1) > 0
    assert np.array_equal(made.positive, labelled)
    valid = trained[f"{video}/valid"]
    assert np.array_equal(labelled & valid, trained[f"{video}/positive"])
    offsets = trained[f"{video}/offset_target"]
    assert np.allclose(made.offsets[labelled], offsets[labelled], rtol=1e-6, atol=0)
    assert not made.offsets[~labelled].any()


def scalar(table, segments, labels, classes, radius=1.5):
    """The rule, point by point and segment by segment, in float32."""
    hot, offsets = np.zeros((len(table), classes)), np.zeros((len(table), 2))
    for row, (time, low, high, stride) in enumerate(table):
        found = []
        for (start, end), label in zip(segments, labels, strict=True):
            left, right = time - start, end - time
            centre = np.float32(0.5) * (start + end)
            near = centre - stride * radius < time < centre + stride * radius
            if min(left, right) > 0 and near and low <= max(left, right) <= high:
                found.append((end - start, left / stride, right / stride, label))
        if found:
            shortest = min(found, key=lambda one: one[0])
            offsets[row] = shortest[1:3]
            for length, *_, label in found:
                if length <= shortest[0] + np.float32(1e-3):
                    hot[row, label] = 1
    return hot, offsets


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_one_rule_a_point(seed):
    rng = np.random.default_rng(seed)
    table = points([1, 2, 4, 8], [(0, 4), (2, 8), (4, 16), (8, 1000)], 64)
    starts = rng.integers(-4, 60, 40) / 2  # on points and at range limits
    ends = starts + rng.integers(1, 60, 40) / 2
    segments = np.stack([starts, ends], axis=1).astype(np.float32)
    labels = rng.integers(0, 6, 40)
    made = assign(table, segments, labels, 6)
    hot, offsets = scalar(table.numpy(), segments, labels, 6)
    assert np.array_equal(made.classes, hot)
    assert np.allclose(made.offsets, offsets, rtol=1e-6)


def test_nearly_equal_lengths_add_classes_and_longer_ones_do_not():
    table = points([1], [(0, 100)], 16)
    segments = np.array([[2, 10.0009], [2, 10], [2, 10.1]])
    made = assign(table, segments, np.array([0, 1, 2]), 3)
    assert made.classes[6].tolist() == [1, 1, 0]
    assert made.offsets[6].tolist() == [4, 4]


def test_a_segment_with_a_verb_and_a_noun():
    table = points([1, 2], [(0, 8), (4, 100)], 32)
    segments = np.array([[2.0, 9.0], [14.0, 30.0]])
    hot = np.zeros((2, 7))
    hot[[0, 0, 1, 1], [0, 4, 2, 6]] = 1
    made = assign(table, segments, hot, 7)
    verbs, nouns = (assign(table, segments, np.array(one), 7) for one in ([0, 2], [4, 6]))
    assert torch.equal(made.classes, verbs.classes + nouns.classes)
    assert torch.equal(made.offsets, verbs.offsets) and torch.equal(made.positive, nouns.positive)


def test_segments_outside_or_between_points_are_never_learnt():
    table = points([1], [(0, 100)], 16)
    segments = np.array([[-9.0, -2.0], [20.0, 30.0], [3.2, 3.8], [5.0, 5.0]])
    made = assign(table, segments, np.zeros(4, int), 2)
    assert not made.positive.any() and not made.classes.any()


@pytest.mark.parametrize(
    ("segments", "labels", "word"),
    [
        ([[0.0, 1.0]], [0, 1], "1 segments need labels"),
        ([0.0, 1.0], [0, 1], r"shape \(2,\)"),
        ([[0.0, 1.0], [1.0, 0.0]], [0, 0], r"segment 1 .* ends before it starts"),
        ([[0.0, np.nan]], [0], "not finite"),
        ([[0.0, np.inf]], [0], "not finite"),
        ([[0.0, 1.0]], [3], "0 to 2"),
        ([[0.0, 1.0]], [-1], "0 to 2"),
    ],
)
def test_bad_segments_are_refused(segments, labels, word):
    with pytest.raises(ActionFormerError, match=word):
        assign(points([1], [(0, 9)], 8), np.array(segments), np.array(labels), 3)


@pytest.mark.parametrize("seed", range(3))
def test_who_learns_what_is_as_assigned(seed):
    rng = np.random.default_rng(seed)
    table = points([1, 2, 4], [(0, 4), (4, 8), (8, 100)], 64)
    start = rng.uniform(-2, 60, 12)
    segments = np.stack([start, start + rng.choice([0.0, 0.3, 3, 9, 30], 12)], axis=1)
    counts, winners = learners(table, segments)
    for place, one in enumerate(segments):
        alone = assign(table, one[None], [0], 1)
        assert counts[place] == alone.positive.sum()
    made = assign(table, segments, np.arange(12), 12)
    assert np.array_equal(winners < 12, made.positive)
    positive = np.flatnonzero(made.positive)
    assert (made.classes[positive, winners[positive]] == 1).all()
    lengths = np.diff(segments)[winners[positive], 0]
    ends = made.offsets[positive].sum(1) * table[positive, 3]
    np.testing.assert_allclose(ends, lengths, rtol=1e-4, atol=1e-4)


def test_without_segments_nobody_learns():
    counts, winners = learners(points([1], [(0, 4)], 8), np.zeros((0, 2)))
    assert counts.shape == (0,) and (winners == 0).all()
