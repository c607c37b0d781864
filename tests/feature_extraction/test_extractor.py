"""Video to features: equal to decoding every clip alone; nothing left behind after an error."""

from __future__ import annotations

import threading
import time
import weakref
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from feature_extraction import extractor
from feature_extraction import read_ahead as decoding
from feature_extraction.extractor import ExtractionError, extract_features, iter_clips
from feature_extraction.read_ahead import CLOSING, FrameThread
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
        for clip in range(max(1, int(np.ceil(duration * grid.fps / grid.stride - 1e-6)))):
            first = clip * grid.stride + (grid.stride - (grid.frames - 1) * grid.interval) // 2
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
    [ClipGrid(60, 8, 8, 8), ClipGrid(30, 4, 2, 16), ClipGrid(7.3, 3, 1, 5), ClipGrid(1.7, 2, 3, 1)],
    ids=["kitchens", "sparse", "coarse", "coarsest"],
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


def test_frames_no_longer_needed_are_let_go():
    """The window holds one clip's span however long the video: a day at 30 fps here."""
    grid, alive, most = ClipGrid(30, 8, 8, 16), [], 0

    def frames():
        nonlocal alive
        for number in grid.needed_frames():
            if number > 40_000:
                break
            frame = torch.full((3, 1, 1), number % 251, dtype=torch.uint8)
            alive.append(weakref.ref(frame))
            yield number, frame
            del frame
        yield CLOSING, torch.zeros(3, 1, 1, dtype=torch.uint8)

    for clip in iter_clips(frames(), grid, lambda: 40_001 / 30):
        assert clip.shape == (8, 3, 1, 1)
        alive = [reference for reference in alive if reference() is not None]
        most = max(most, len(alive))
    assert most <= 10


def test_the_decoder_runs_only_a_few_frames_ahead(videos):
    grid = ClipGrid(30, 1, 1, 1)
    with FrameThread(videos["b_frames.mp4"][0], grid, 32) as frames:
        taken = iter(frames)
        next(taken)
        limit = time.monotonic() + 20
        while not frames._queue.full() and time.monotonic() < limit:
            time.sleep(0.01)
        assert frames._queue.full()
        assert sum(1 for _ in taken) == 90  # 89 more and the closing one
    assert not frames._thread.is_alive()


def test_ctrl_c_while_the_decoder_starts_leaves_no_thread(videos, monkeypatch):
    start = threading.Thread.start

    def broken_off(thread):
        start(thread)
        raise KeyboardInterrupt

    frames = FrameThread(videos["b_frames.mp4"][0], ClipGrid(30, 1, 1, 1), 32)
    monkeypatch.setattr(threading.Thread, "start", broken_off)
    with pytest.raises(KeyboardInterrupt), frames:
        pass
    frames._thread.join(20)
    assert not frames._thread.is_alive()


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
    assert 0 < grey.min() and grey.max() < 1
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
