"""The views a classifier is tested on: clips of a segment, crops of a clip."""

from __future__ import annotations

import numpy as np
import torch

from feature_extraction.sampling import segment_clip_times, view_offsets
from feature_extraction.transforms import spatial_crops


def test_views_are_spread_over_time_and_space():
    np.testing.assert_allclose(view_offsets(10), np.arange(10) / 9)
    assert view_offsets(1).tolist() == [0.5]
    np.testing.assert_allclose(
        segment_clip_times(2.0, 10.0, places=np.full(4, 0.5)), [3.0, 5.0, 7.0, 9.0]
    )
    frames = torch.arange(60, dtype=torch.uint8).expand(2, 3, 20, 60)
    crops = spatial_crops(frames, short_side=20, count=3)
    assert crops.shape == (3, 2, 3, 20, 20)
    assert crops[:, 0, 0, 0, 0].tolist() == [0, 20, 40]
    tall = spatial_crops(frames.transpose(2, 3), short_side=20, count=3)
    assert torch.equal(tall, crops.transpose(3, 4))
    assert spatial_crops(frames, short_side=20, count=1)[0, 0, 0, 0, 0] == 20
