"""Features of a clip in batches of another size: the same but for rounding, and counted where they are not."""

from __future__ import annotations

import pytest
import torch

from benchmarks.batches import differing, features_of, network_of
from feature_extraction.backbones import BACKBONES, for_inference


@pytest.mark.parametrize("name", BACKBONES)
def test_a_batch_rounds_and_does_no_more(name):
    network = for_inference(network_of(name, (1, 1, 1, 1), 8))
    clips = torch.randn(5, 3, 4, 24, 32)
    one, *others = (features_of(network, clips, size) for size in (1, 2, 3, 5))
    for found in others:
        torch.testing.assert_close(found, one, rtol=1e-4, atol=1e-5)


def test_rows_that_differ_are_counted_as_files_hold_them():
    rows = torch.ones(3, 2)
    other = rows.clone()
    other[1, 0], other[2, 1] = 1 + 1e-6, 1.01  # the first is the same in float16
    assert differing([rows, rows, other]) == [0, 0, 1]
