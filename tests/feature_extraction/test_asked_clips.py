"""Clips at asked moments: those of the grid where they fall on it, and each frame the nearest elsewhere."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from feature_extraction import ClipGrid, build_backbone, extract_features, features_at, open_video
from feature_extraction.asked_clips import asked_clips
from feature_extraction.transforms import resize_short_side, to_tensor

GRID = ClipGrid(fps=10.0, frames=4, interval=2, stride=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("asked") / "video.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(15))
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for _ in range(60):
            image = rng.integers(0, 255, (4, 6, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return file


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_backbone("tada2d", depth=(1, 1, 1, 1), width=4, num_classes=2).eval()


def test_on_the_grid_they_are_the_extracted_features(path, model):
    features, duration = extract_features(model, path, GRID, short_side=32)
    made = features_at(model, path, GRID.centers(len(features)), GRID, short_side=32)
    assert len(features) == GRID.num_clips(duration) == 10
    np.testing.assert_allclose(made, features, rtol=1e-4, atol=1e-6)


def test_any_order_and_repeats_give_each_its_own(path, model):
    centers = np.array([3.99, 0.0, 1.234, 1.234, 2.6])
    made = features_at(model, path, centers, GRID, short_side=32, batch_size=2)
    for center, feature in zip(centers, made, strict=True):
        alone = features_at(model, path, np.array([center]), GRID, short_side=32)
        np.testing.assert_allclose(feature, alone[0], rtol=1e-4, atol=1e-6)


def test_frames_are_the_nearest_and_clamped_at_the_ends(path):
    centers = np.array([0.0, 0.77, 1.9, 3.95])
    with open_video(path) as reader:
        found = dict(asked_clips(reader, centers, GRID, 32))
    assert sorted(found) == [0, 1, 2, 3]
    with open_video(path) as reader:
        for number, times in enumerate(GRID.times_around(centers)):
            last = GRID.last_frame(4.0) / GRID.fps
            frames = to_tensor(reader.clip(np.where(times >= 4.0, last, times).clip(min=0)))
            assert torch.equal(found[number], resize_short_side(frames, 32))
