"""What points learn: as the library assigns it, and whether any learns a segment."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.configuration.reading import find_config, load_config
from pipeline.data.sequences.learning import (
    learns_some,
    learnt,
    padded_length,
    targets_of,
    valid_points,
)


def test_verbs_and_nouns_stand_beside_one_another(settings):
    found = targets_of(np.array([[2.0, 9.0]]), np.array([[1, 2]]), 32, settings(), (2, 3))
    assert found.classes.shape == (32 + 16 + 8, 5)
    positive = found.classes[found.positive]
    assert len(positive) and (positive == torch.tensor([0.0, 1, 0, 0, 1])).all()
    none = targets_of(np.zeros((0, 2)), np.zeros((0, 2), int), 32, settings(), (2, 3))
    assert not none.positive.any() and none.classes.shape == found.classes.shape
    agnostic = targets_of(np.array([[2.0, 9.0]]), np.zeros((1, 0), int), 32, settings(), ())
    assert agnostic.classes.shape == (56, 1) and torch.equal(agnostic.positive, found.positive)


def test_every_segment_alone_is_learnt_where_some_point_has_it(settings):
    """The same as asking for each by itself, but for those that shorter ones cover whole."""
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 30, 40)
    segments = np.stack([starts, starts + rng.uniform(0.1, 20, 40)], 1)
    together = learnt(segments, 30, settings())
    valid = valid_points(30, 32, 3)
    for segment, found in zip(segments, together, strict=True):
        alone = targets_of(segment[None], np.array([[0]]), 32, settings(), (1,))
        assert found <= bool((alone.positive & valid).any())
    assert 0 < together.sum() < 40


@pytest.mark.parametrize(
    ("length", "padded"), [(1, 32), (31, 32), (32, 32), (33, 40), (36, 40), (37, 44)]
)
def test_longer_ones_are_padded_to_what_the_strides_divide(settings, length, padded):
    assert padded_length(length, settings()) == padded
    assert valid_points(length, padded, 3).sum() == length + -(-length // 2) + -(-length // 4)


def test_before_a_feature_is_there_it_is_known_whether_any_segment_will_be_learnt():
    keys = {"detector.name": "actionformer", "extract.fps": 30, "extract.stride": 30}
    config = load_config(find_config("hacs"), keys).detection()
    assert learns_some(config, np.array([[3.0, 9.0]]), 20.0)
    assert not learns_some(config, np.array([[3.6, 4.4]]), 20.0), "between two positions"
    assert not learns_some(config, np.array([[30.0, 40.0]]), 20.0), "after the end"
