"""Pairs of segments that overlap, against the full matrix."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation import overlap as overlap_module
from evaluation.overlap import GroupedSegments, overlapping_pairs, temporal_iou


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
@pytest.mark.parametrize("least", [0.05, 0.5, 1.0])
def test_pairs_equal_the_full_matrix(least, at_once, monkeypatch):
    monkeypatch.setattr(overlap_module, "_PAIRS_AT_ONCE", at_once)
    rng = np.random.default_rng(5)

    def some(n):
        start = np.round(rng.random(n) * 40, 1) + 3600
        return GroupedSegments(
            rng.integers(-1, 3, n), start, start + np.round(rng.random(n) * 6, 0)
        )

    left, right = some(60), some(50)
    tiou = temporal_iou(left.start[:, None], left.end[:, None], right.start, right.end)
    same = (left.group[:, None] == right.group) & (right.group >= 0)
    pairs = overlapping_pairs(left, right, least)
    wanted = set(zip(*np.nonzero(same & (tiou >= least)), strict=True))
    assert set(zip(pairs.left, pairs.right, strict=True)) == wanted
    assert len(pairs.left) == len(wanted) and (np.diff(pairs.left) >= 0).all()
    np.testing.assert_array_equal(pairs.tiou, tiou[pairs.left, pairs.right])
