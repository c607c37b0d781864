"""decord by name: right where it is let, refused by name where it is not."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from feature_extraction.video import decord_reader as video_decord
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError

decord = pytest.importorskip("decord")


@pytest.mark.parametrize(
    "name", ["constant.mp4", "b_frames.mp4", "variable.mp4", "variable.mkv", "one_frame.mp4"]
)
def test_equals_the_default_reader(name, videos, monkeypatch):
    monkeypatch.setattr(video_decord, "CHUNK_BYTES", 5 * 96 * 64 * 3)  # several chunks
    path, _ = videos[name]
    times = np.arange(0, 9, 0.11)
    with open_video(path, "pyav") as one, open_video(path, "decord") as other:
        expected = list(one.frames_at(times, final_fps=7))
        found = list(other.frames_at(iter(times), final_fps=7))
        assert [index for index, _ in found] == [index for index, _ in expected]
        for (_, frame), (_, right) in zip(found, expected, strict=True):
            assert np.array_equal(frame, right)
        assert other.end_time == pytest.approx(one.end_time)
        assert other.info.decoder == "decord" and other.info.width == one.info.width
        wanted = [1.0, 0.3, 0.3, -1.0, 99.0]
        assert np.array_equal(one.clip(wanted), other.clip(wanted))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("late_start.mp4", "late start"),
        ("cut_by_edit_list.mp4", "edit list"),
        ("late_start.ts", "mpegts"),
        ("mpeg4.avi", "avi"),
        ("hevc.mp4", "HEVC"),
    ],
)
def test_refused_by_name(name, why, videos):
    with pytest.raises(VideoError, match=why) as caught:
        open_video(videos[name][0], "decord")
    assert name in str(caught.value) and "--decoder pyav" in str(caught.value)


def test_impossible_times_are_refused(videos, monkeypatch):
    class Reader:
        def __init__(self, path, num_threads):
            self.path = path

        def __len__(self):
            return 90

        def get_frame_timestamp(self, numbers):
            return np.full((90, 2), -3e17)

    class Fake:
        VideoReader = Reader

    monkeypatch.setitem(sys.modules, "decord", Fake)
    with pytest.raises(VideoError, match=r"constant.mp4: .* impossible; use --decoder pyav"):
        open_video(videos["constant.mp4"][0], "decord")
    monkeypatch.setattr(Reader, "__len__", lambda self: 91)
    with pytest.raises(VideoError, match="counts 91 frames, the file has 90"):
        open_video(videos["constant.mp4"][0], "decord")


def test_not_installed(videos, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(VideoError, match=r"install it .* or use --decoder pyav"):
        open_video(videos["constant.mp4"][0], "decord")
    with open_video(videos["constant.mp4"][0]) as reader:
        assert reader.info.decoder == "pyav"  # nobody else minds
