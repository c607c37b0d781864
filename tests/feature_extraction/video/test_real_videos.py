"""Real files, odd ones included: every frame taken is the one a full PyAV decode has there."""

from __future__ import annotations

import zlib
from itertools import islice

import av
import numpy as np
import pytest
from helpers.numbered_videos import nearest

from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError

MOST_FRAMES = 300  # of the 6-minute file; the others are whole
FILES = {  # name -> (first frame's time in the file, decord reads it)
    "3c0dffd0-e38e-4643-bc48-d513943dc20b_012_014.mp4": (0.0, True),
    "R6llTwEh07w.mp4": (0.0, True),
    "RATRACE_wave_f_nm_np1_fr_goo_37.avi": (0.067, False),
    "demo.mp4": (0.0, True),
    "demo_skeleton.mp4": (0.0, True),
    "edit_list_positive_shift.mp4": (1.0, False),
    "flipping_a_pancake.mkv": (0.0, True),
    "h265_video.mp4": (0.0, False),
    "long_1080p_videoonly_lowbitrate.mp4": (0.0, True),
    "making_cake.mp4": (0.0, True),
    "no_duration.webm": (0.0, False),
    "playing_guitar.mp4": (0.0, True),
    "sample_fragmented.mp4": (0.2, False),
    "sample_with_increasing_timestamps_320w_240h_5s.mp4": (0.0, True),
    "test.avi": (0.04, False),
    "v_GGSY1Qvo990.mp4": (0.0, True),
    "v_SoccerJuggling_g23_c01.avi": (0.0, False),
    "video_0.mov": (0.0, True),
    "video_90.mov": (0.0, True),
}


def digest(picture):
    return picture.shape, zlib.crc32(np.ascontiguousarray(picture))


def decode(path):
    """Times from the first frame, a digest of every frame, and the first frame's own time."""
    with av.open(str(path)) as container:
        avi = container.format.name == "avi"
        tick = container.streams.video[0].time_base
        ticks, digests = [], []
        for frame in islice(container.decode(video=0), MOST_FRAMES + 61):
            time = frame.dts if avi else frame.pts
            ticks.append(ticks[-1] + 1 if time is None else time)
            upright = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
            digests.append(digest(upright))
    times = np.array([float((time - ticks[0]) * tick) for time in ticks])
    return times, digests, float(ticks[0] * tick)


@pytest.mark.parametrize("name", FILES)
def test_frames_and_clips_are_those_of_a_full_decode(name, real_data):
    path = real_data("videos", name)
    times, digests, start = decode(path)
    assert start == pytest.approx(FILES[name][0], abs=1e-3)
    whole = len(times) <= MOST_FRAMES + 60
    last = times[-1] if whole else times[MOST_FRAMES]
    fps = 60 if times[-1] < 3 else 12
    wanted = np.arange(0, last + (1.0 if whole else 0.0), 1 / fps)
    with open_video(path) as reader:
        given = 0
        for index, picture in reader.frames_at(wanted):
            assert index == given
            assert digest(picture) == digests[nearest(times, wanted[index])]
            given += 1
        if whole:
            assert last < reader.end_time < last + 0.3
            assert given == sum(wanted < reader.end_time - 1e-6)
        else:
            assert given == len(wanted)
        rng = np.random.default_rng(5)
        for first in rng.uniform(-0.1, last, 2):
            clip_times = np.minimum(first + np.arange(4) * rng.uniform(0.01, 0.3), last)
            for picture, time in zip(reader.clip(clip_times), clip_times, strict=True):
                assert digest(picture) == digests[nearest(times, time)]


@pytest.mark.parametrize("name", FILES)
def test_decord_agrees_or_is_refused(name, real_data):
    pytest.importorskip("decord")
    path = real_data("videos", name)
    if not FILES[name][1]:
        with pytest.raises(VideoError, match="use --decoder pyav") as caught:
            open_video(path, "decord")
        assert name in str(caught.value)
        return
    times = [0.05, 0.5, 2.0]
    with open_video(path) as one, open_video(path, "decord") as other:
        # two builds of FFmpeg: the same frames, converted within a grey level or so
        gap = one.clip(times).astype(np.int16) - other.clip(times)
        assert np.abs(gap).mean() <= 1


def test_rotation_is_applied(real_data):
    with open_video(real_data("videos", "video_90.mov")) as reader:
        assert (reader.info.width, reader.info.height) == (320, 568)
        assert next(reader.frames_at([0.0]))[1].shape == (568, 320, 3)
