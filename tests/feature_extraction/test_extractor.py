"""Video to features: equal to decoding every clip alone; nothing left behind after an error."""

from __future__ import annotations

import threading
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from feature_extraction import extractor
from feature_extraction import read_ahead as decoding
from feature_extraction.backbones import build_backbone, for_inference
from feature_extraction.extractor import (
    ExtractionError,
    Extractor,
    extract_features,
    features_at,
)
from feature_extraction.sampling import ClipGrid
from feature_extraction.transforms import eval_transform, normalize, resize_short_side, to_tensor
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError


class Pixels(nn.Module):
    """Features that tell every frame's pixels and place apart, one clip at a time."""

    modes: ClassVar[list[bool]] = []  # of every call, copies made for inference included

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def features(self, video):
        assert video.shape[1] == 3 and video.dtype == self.scale.dtype
        self.modes.append(self.training)
        coarse = nn.functional.adaptive_avg_pool3d(video, (video.shape[2], 2, 2))
        return self.scale * coarse.flatten(1)


def naive(model, path, grid, short_side):
    """Every clip decoded, resized and run alone."""
    with open_video(path) as reader:
        for _ in reader.frames_at([float("inf")]):
            pass
        duration = reader.end_time
        last = int(np.floor((duration - 1e-6) * grid.fps))
        rows = []
        cells = (duration * grid.fps - grid.shift) / grid.stride
        for clip in range(max(1, int(np.ceil(cells - 1e-6)))):
            middle = clip * grid.stride + grid.stride / 2 + grid.shift
            first = int(np.floor(middle - (grid.frames - 1) * grid.interval / 2))
            numbers = np.clip(first + np.arange(grid.frames) * grid.interval, 0, last)
            frames = resize_short_side(to_tensor(reader.clip(numbers / grid.fps)), short_side)
            with torch.inference_mode():
                video = normalize(frames).transpose(0, 1)[None]
                rows.append(model.features(video).numpy()[0])
    return np.stack(rows), duration


@pytest.mark.parametrize(
    "name",
    ["b_frames.mp4", "variable.mkv", "late_start.ts", "mpeg4.avi", "odd_size.mp4", "one_frame.mp4"],
)
@pytest.mark.parametrize(
    "grid",
    [
        ClipGrid(60, 8, 8, 8),
        ClipGrid(30, 4, 2, 16),
        ClipGrid(7.3, 3, 1, 5),
        ClipGrid(1.7, 2, 3, 1),
        ClipGrid(60, 8, 8, 8, 32),
        ClipGrid(30, 4, 2, 16, -6.5),
    ],
    ids=["kitchens", "sparse", "coarse", "coarsest", "late", "early"],
)
def test_equals_every_clip_decoded_alone(name, grid, videos):
    path, model = videos[name][0], Pixels()
    expected, duration = naive(model, path, grid, 40)
    for batch_size in (1, 3):
        found, found_duration = extract_features(
            model, path, grid, short_side=40, batch_size=batch_size
        )
        assert found.dtype == np.float32 and found_duration == pytest.approx(duration)
        assert len(found) == grid.num_clips(duration)
        assert np.array_equal(found, expected)


def test_needed_frames_are_resized_once(videos, monkeypatch):
    sizes = []

    def counting(frames, *, short_side, crop):
        sizes.append(len(frames))
        return eval_transform(frames, short_side=short_side, crop=crop)

    monkeypatch.setattr(decoding, "eval_transform", counting)
    grid = ClipGrid(60, 8, 8, 8)  # 3 s: 23 clips of 8 frames; numbers 0, 8, ..., 176 and the last
    features, _ = extract_features(Pixels(), videos["b_frames.mp4"][0], grid, short_side=32)
    assert len(features) == 23 and len(sizes) == 24


def test_model_mode_and_settings(videos):
    model, path, beats = Pixels().train(), videos["constant.mp4"][0], []
    Pixels.modes.clear()
    options = {"short_side": 32, "batch_size": 4}
    grid = ClipGrid(30, 2, 4, 10)
    extract_features(model, path, grid, on_batch=lambda: beats.append(1), **options)
    assert (
        model.training and len(Pixels.modes) == len(beats) == 3 and not any(Pixels.modes)
    )  # 9 clips
    grey, _ = extract_features(model, path, grid, mean=(0.0,) * 3, std=(1.0,) * 3, **options)
    assert grey.min() > 0 and grey.max() < 1
    half, _ = extract_features(model, path, grid, precision="bfloat16", **options)
    assert half.dtype == np.float32
    for wrong in ({"precision": "int8"}, {"batch_size": 0}):
        with pytest.raises(ExtractionError):
            extract_features(model, path, grid, **{**options, **wrong})


def test_features_that_are_not_finite_are_refused(videos):
    model = Pixels()
    model.scale.data.fill_(float("nan"))
    with pytest.raises(ExtractionError, match=r"constant.mp4: .* not finite"):
        extract_features(model, videos["constant.mp4"][0], ClipGrid(30, 2, 4, 10), short_side=32)


def failing(videos, tmp_path):
    """(path, model, error) of ways to fail: the network, the video, a stop from outside."""
    broken = tmp_path / "broken.ts"
    content = videos["late_start.ts"][0].read_bytes()
    broken.write_bytes(content + content)  # times run back in the middle

    class Fails(Pixels):
        def __init__(self, error):
            super().__init__()
            self.error = error

        def features(self, video):
            raise self.error

    good = videos["b_frames.mp4"][0]
    yield good, Fails(RuntimeError("out of memory")), RuntimeError
    yield good, Fails(KeyboardInterrupt()), KeyboardInterrupt
    yield broken, Pixels(), VideoError
    yield tmp_path / "missing.mp4", Pixels(), VideoError


def test_an_error_leaves_no_thread_and_no_reader(videos, tmp_path, monkeypatch):
    readers = []

    def opening(*arguments, **options):
        readers.append(open_video(*arguments, **options))
        return readers[-1]

    monkeypatch.setattr(decoding, "open_video", opening)
    before = threading.active_count()
    for path, model, error in failing(videos, tmp_path):
        with pytest.raises(error):
            extract_features(model.train(), path, ClipGrid(30, 1, 1, 1), short_side=32)
        assert threading.active_count() == before and model.training
    assert len(readers) == 3 and all(reader._closed for reader in readers)


def test_growing_block():
    rows = [np.full((n, 3), n, dtype=np.float32) for n in (1, 2, 700, 1)]
    assert np.array_equal(extractor._gather(iter(rows)), np.concatenate(rows))


GRID = ClipGrid(fps=10.0, frames=4, interval=2, stride=4)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_backbone("tada2d", depth=(1, 1, 1, 1), width=4, num_classes=2).eval()


def test_at_a_cells_centre_are_the_features_of_its_clip(videos, model):
    path = videos["variable.mkv"][0]
    for network, tolerance in ((Pixels(), 0.0), (model, 1e-4)):
        extractor = Extractor(for_inference(network), GRID, short_side=32)
        features, duration, damaged = extractor.video(path)
        centers = GRID.centers(len(features))
        assert len(features) == GRID.num_clips(duration) > 5 and damaged == ()
        made = extractor.at(path, centers)
        np.testing.assert_allclose(made, features, rtol=tolerance, atol=tolerance / 100)
        np.testing.assert_allclose(
            extractor.at(path, centers[::-1]), made[::-1], rtol=tolerance, atol=tolerance / 100
        )


def test_the_functions_are_the_extractors(videos, model):
    path, options = videos["b_frames.mp4"][0], {"short_side": 40, "crop": 32, "batch_size": 3}
    extractor = Extractor(for_inference(model), GRID, **options)
    whole, asked = extractor.video(path), np.array([2.9, 0.0, 1.234])
    features, duration = extract_features(model, path, GRID, **options)
    assert np.array_equal(features, whole.features) and duration == whole.duration
    made = features_at(model, path, asked, GRID, **options)
    assert np.array_equal(made, extractor.at(path, asked))


def test_any_order_and_repeats_give_each_its_own(videos, model):
    """Batched equals single."""
    path, centers = videos["constant.mp4"][0], np.array([2.99, 0.0, 1.234, 1.234, 2.6])
    made = features_at(model, path, centers, GRID, short_side=32, batch_size=2)
    for center, feature in zip(centers, made, strict=True):
        alone = features_at(model, path, np.array([center]), GRID, short_side=32)
        np.testing.assert_allclose(feature, alone[0], rtol=1e-4, atol=1e-6)


def test_a_heartbeat_a_batch(videos):
    beats: list[int] = []
    path = videos["constant.mp4"][0]
    extractor = Extractor(for_inference(Pixels()), GRID, short_side=32, batch_size=3)
    features = extractor.video(path, heartbeat=lambda: beats.append(1)).features
    assert len(features) == 8 and len(beats) == 3
    extractor.at(path, np.array([0.5, 1.0, 1.5, 2.0]), heartbeat=lambda: beats.append(1))
    assert len(beats) == 5
    with pytest.raises(KeyboardInterrupt):
        extractor.at(path, np.array([0.5]), heartbeat=interrupt)


def interrupt():
    raise KeyboardInterrupt


def test_asked_features_that_are_not_finite_are_refused(videos):
    class Broken(Pixels):
        def features(self, video):
            values = super().features(video)
            return torch.where(values == values.max(), torch.nan, values)

    with pytest.raises(ExtractionError, match=r"constant.mp4: the features of 1 of 3 clips"):
        features_at(
            Broken(), videos["constant.mp4"][0], np.array([2.0, 0.4, 1.0]), GRID, short_side=32
        )


def test_no_moments_give_no_features(videos):
    made = features_at(Pixels(), videos["constant.mp4"][0], np.empty(0), GRID, short_side=32)
    assert len(made) == 0
