"""Frames read in a thread: those a grid needs, in order; what goes wrong there is raised here."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from feature_extraction.read_ahead import CLOSING, FrameThread
from feature_extraction.sampling import ClipGrid
from feature_extraction.transforms import eval_transform, to_tensor
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError


@pytest.mark.parametrize("crop", [None, 24])
def test_gives_the_frames_a_grid_needs_resized_and_the_last_one(crop, videos):
    path, grid = videos["b_frames.mp4"][0], ClipGrid(10, 2, 3, 8)
    with FrameThread(path, grid, 32, crop=crop) as frames:
        found = list(frames)
        assert frames.duration == pytest.approx(3.0) and frames.damaged == []
    needed = [number for number, _ in zip(grid.needed_frames(), range(30), strict=False)]
    numbers = [number for number in needed if number < 30]
    assert [number for number, _ in found] == [*numbers, CLOSING]
    with open_video(path) as reader:
        pictures = reader.clip([number / 10 for number in (*numbers, 29)])
    expected = eval_transform(to_tensor(pictures), short_side=32, crop=crop)
    assert torch.equal(torch.stack([frame for _, frame in found]), expected)


def test_numbers_that_share_a_frame_share_its_tensor(videos):
    with FrameThread(videos["constant.mp4"][0], ClipGrid(120, 1, 1, 1), 32) as frames:
        taken = [frame for _, frame in frames]
    assert len(taken) == 361 and len({id(frame) for frame in taken}) == 90


def test_errors_of_the_reader_are_raised_where_frames_are_taken(videos, tmp_path):
    path = tmp_path / "twice.ts"
    content = videos["late_start.ts"][0].read_bytes()
    path.write_bytes(content + content)  # refused in the middle
    taken = []
    with (
        pytest.raises(VideoError, match=r"twice\.ts: "),
        FrameThread(path, ClipGrid(30, 1, 1, 1), 32) as f,
    ):
        taken.extend(f)
    assert len(taken) > 80 and not f._thread.is_alive()
    with (
        pytest.raises(VideoError, match="no such"),
        FrameThread("none.mp4", ClipGrid(30, 1, 1, 1), 32) as f,
    ):
        next(iter(f))
    assert not f._thread.is_alive()


def test_leaving_early_stops_the_thread_and_closes_the_video(videos, monkeypatch):
    readers = []

    def opening(*arguments, **options):
        readers.append(open_video(*arguments, **options))
        return readers[-1]

    monkeypatch.setattr("feature_extraction.read_ahead.open_video", opening)
    with FrameThread(videos["constant.mp4"][0], ClipGrid(30, 1, 1, 1), 32) as frames:
        next(iter(frames))
    assert not frames._thread.is_alive()
    with pytest.raises(VideoError, match="closed"):
        readers[0].clip([0.0])


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
