"""Frames by presentation time, on videos whose frames carry their number."""

from __future__ import annotations

import os
from itertools import count, islice

import numpy as np
import pytest
from helpers.numbered_videos import (
    VIDEOS,
    nearest,
    read_number,
)

from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("fps", [60, 30, 7.3, 1.1])
def test_frames_are_the_nearest_in_time(name, fps, videos, decoded):
    path, shown = videos[name]
    times, frames = decoded(name)
    cut = len(shown) - len(frames)  # what an edit list takes away
    with open_video(path) as reader:
        found = list(reader.frames_at((k / fps for k in count()), final_fps=fps))
        end = reader.end_time
    assert end > times[-1]
    expected = [k for k in range(1000) if k / fps < end - 1e-6]
    assert [index for index, _ in found] == [*expected, -1]
    for index, frame in found:
        place = nearest(times, (expected[-1] if index < 0 else index) / fps)
        assert frame.dtype == np.uint8 and np.array_equal(frame, frames[place])
        assert read_number(frame) == place + cut


@pytest.mark.parametrize("name", VIDEOS)
def test_clip_equals_the_sequential_pass(name, videos, decoded):
    times, frames = decoded(name)
    rng = np.random.default_rng(3)
    with open_video(videos[name][0]) as reader:
        for start in [-0.2, 0.0, *rng.uniform(0, times[-1] + 0.3, 6)]:
            wanted = start + np.arange(6) * rng.choice([1 / 60, 1 / 8])
            rng.shuffle(wanted)
            clip = reader.clip(wanted)
            for picture, time in zip(clip, wanted, strict=True):
                place = nearest(times, time)
                assert np.array_equal(picture, frames[place]), (time, place)


def test_equal_frames_are_one_array_and_the_pass_can_stop_early(videos):
    with open_video(videos["constant.mp4"][0]) as reader:
        found = [frame for _, frame in reader.frames_at([0.5, 0.5, 0.501, 0.7])]
        assert found[0] is found[1] is found[2] and found[2] is not found[3]
        assert reader.end_time is None  # the end was not looked at
        assert [index for index, _ in reader.frames_at([2.99, 2.9999, 3.0, 99.0])] == [0, 1]
        assert reader.end_time == pytest.approx(3.0)
        with pytest.raises(ValueError, match="ascend"):
            list(reader.frames_at([1.0, 0.5]))
        assert list(reader.frames_at([])) == []


def test_passes_and_clips_of_one_reader_do_not_disturb_each_other(videos, decoded):
    times, frames = decoded("b_frames.mp4")
    with open_video(videos["b_frames.mp4"][0]) as reader:
        one, other = reader.frames_at(times), reader.frames_at(times)
        for number in range(30):
            assert np.array_equal(next(one)[1], frames[number])
            assert np.array_equal(next(other)[1], frames[number])
            if number % 10 == 0:
                assert np.array_equal(reader.clip([2.0])[0], frames[60])


def test_a_closed_reader_gives_nothing(videos):
    path = videos["b_frames.mp4"][0]
    with open_video(path) as reader:
        going = reader.frames_at(count())
        next(going)
    with pytest.raises(VideoError, match="closed"):
        next(going)
    with pytest.raises(VideoError, match="closed"):
        reader.clip([0.0])
    with pytest.raises(VideoError, match="closed"):
        list(reader.frames_at([0.0]))


def test_readers_leave_no_file_open(videos, tmp_path):
    def held():
        links = [f"/proc/self/fd/{entry}" for entry in os.listdir("/proc/self/fd")]
        return [os.readlink(link) for link in links if os.path.exists(link)]

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")
    path = videos["b_frames.mp4"][0]
    with open_video(path) as reader:
        list(islice(reader.frames_at(count()), 2))
        reader.clip([1.0, 2.0])
    assert str(path) not in held()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(VideoError):
        open_video(broken)
    assert str(broken) not in held()


@pytest.mark.parametrize("threads", [0, 2])
def test_threads_do_not_change_the_frames(threads, videos, decoded):
    times, frames = decoded("b_frames.mp4")
    with open_video(videos["b_frames.mp4"][0], threads=threads) as reader:
        for index, frame in reader.frames_at(times):
            assert np.array_equal(frame, frames[index])
