"""The central square, cut by extraction or before it: the same frames and the same features."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from feature_extraction import ClipGrid, build_backbone, extract_features, features_at, open_video
from feature_extraction.clips import AskedMoments, asked_clips
from feature_extraction.read_ahead import FrameThread
from feature_extraction.transforms import TransformError, eval_transform, to_tensor

GRID = ClipGrid(fps=10.0, frames=4, interval=2, stride=4)
SIDE = 32
SIZES = {"wide": (64, 32), "tall": (32, 56), "odd": (47, 32)}


def encode(path, frames):
    """H.264 that keeps every pixel's RGB."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=Fraction(15))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.options = "rgb24", {"qp": "0", "threads": "1"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module", params=list(SIZES))
def pair(request, tmp_path_factory):
    """A video, and the same with its central square alone."""
    folder = tmp_path_factory.mktemp("pair")
    width, height = SIZES[request.param]
    frames = np.random.default_rng(width).integers(0, 256, (40, height, width, 3), np.uint8)
    top, left = round((height - SIDE) / 2), round((width - SIDE) / 2)
    square = np.ascontiguousarray(frames[:, top : top + SIDE, left : left + SIDE])
    return encode(folder / "full.mp4", frames), encode(folder / "square.mp4", square)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_backbone("tada2d", depth=(1, 1, 1, 1), width=4, num_classes=2).eval()


def test_frames_are_those_cut_beforehand(pair):
    found = []
    for path, crop in zip(pair, (SIDE, None), strict=True):
        with FrameThread(path, GRID, SIDE, crop=crop) as frames:
            found.append(list(frames))
    assert len(found[0]) == len(found[1]) > 10
    for (number, ours), (same, theirs) in zip(*found, strict=True):
        assert number == same and torch.equal(ours, theirs)


def test_features_are_those_cut_beforehand(pair, model):
    (ours, length), (theirs, same) = (
        extract_features(model, path, GRID, short_side=SIDE, crop=crop)
        for path, crop in zip(pair, (SIDE, None), strict=True)
    )
    assert np.array_equal(ours, theirs) and length == same
    whole, _ = extract_features(model, pair[0], GRID, short_side=SIDE)
    assert not np.allclose(ours, whole, rtol=1e-3)


def test_features_at_asked_moments_are_too(pair, model):
    centers = np.array([0.0, 1.3, 0.2, 2.6])
    ours, theirs = (
        features_at(model, path, centers, GRID, short_side=SIDE, crop=crop)
        for path, crop in zip(pair, (SIDE, None), strict=True)
    )
    assert np.array_equal(ours, theirs)
    cells = GRID.centers(6)
    made = features_at(model, pair[0], cells, GRID, short_side=SIDE, crop=SIDE)
    stored, _ = extract_features(model, pair[0], GRID, short_side=SIDE, crop=SIDE)
    np.testing.assert_allclose(made, stored[:6], rtol=1e-4, atol=1e-6)


def test_a_smaller_short_side_is_resized_before_it_is_cut(pair):
    centers = np.array([1.0])
    asked = AskedMoments(GRID, centers)
    with FrameThread(pair[0], asked, 24, crop=24) as found:
        ((_, clip),) = asked_clips(found, asked)
    with open_video(pair[0]) as reader:
        frames = to_tensor(reader.clip(GRID.times_around(centers)[0]))
    assert clip.shape == (4, 3, 24, 24)
    assert torch.equal(clip, eval_transform(frames, short_side=24, crop=24))


def test_a_square_larger_than_the_frame_is_refused(pair, model):
    with pytest.raises(TransformError, match="crop 40 does not fit in a short side of 32"):
        extract_features(model, pair[0], GRID, short_side=SIDE, crop=40)
