"""Frames nobody needs are left out, and what a plan gives is what decoding everything gives."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.numbered_videos import VIDEOS

from feature_extraction.video import pyav_passes as passes
from feature_extraction.video.opening import open_video

PLANNED = [name for name in VIDEOS if not name.endswith((".ts", ".avi"))]


@pytest.mark.parametrize("name", PLANNED)
def test_planned_and_plain_passes_agree(name, videos):
    def run(plannable):
        with open_video(videos[name][0]) as reader:
            reader._plannable = plannable
            times = np.arange(0, 9, 8 / 60)
            found = list(reader.frames_at(times, final_fps=60))
            assert reader._plannable is plannable  # a plan was not given up
            return found, reader.end_time

    (planned, end), (plain, plain_end) = run(True), run(False)
    assert end == pytest.approx(plain_end, abs=1e-9)
    assert [index for index, _ in planned] == [index for index, _ in plain]
    for (_, one), (_, other) in zip(planned, plain, strict=True):
        assert np.array_equal(one, other)


def test_frames_nobody_needs_are_not_decoded(videos, monkeypatch):
    decoded = []
    decode = passes.VideoFile.decode

    def counting(self, item, *, needed=True):
        frames = decode(self, item, needed=needed)
        decoded.extend(frames)
        return frames

    monkeypatch.setattr(passes.VideoFile, "decode", counting)
    with open_video(videos["b_frames.mp4"][0]) as reader:
        assert len(list(reader.frames_at(np.arange(0, 3, 0.4)))) == 8
    assert len(decoded) < 50  # of 90; three in four are B-frames


def test_a_decoder_that_drops_a_wanted_frame_is_noticed(videos, decoded, monkeypatch):
    """The plan is given up in the middle, and the rest comes from a plain pass."""
    monkeypatch.setattr(passes.VideoFile, "decode", _dropping_once(passes.VideoFile.decode))
    times, frames = decoded("b_frames.mp4")
    with open_video(videos["b_frames.mp4"][0]) as reader:
        found = list(reader.frames_at(iter(times)))
        assert not reader._plannable
        clip = reader.clip(times[10:60:7])
    assert [index for index, _ in found] == list(range(90))
    assert all(np.array_equal(frame, frames[index]) for index, frame in found)
    assert np.array_equal(clip, np.stack(frames[10:60:7]))


def _dropping_once(decode):
    """Drop the frame at 1.5 s the first time it comes."""
    dropped = []

    def faulty(self, item, *, needed=True):
        frames = decode(self, item, needed=needed)
        kept = [frame for frame in frames if abs(self.head.seconds(frame.pts) - 1.5) > 1e-3]
        if len(kept) < len(frames) and not dropped:
            dropped.append(True)
            return kept
        return frames

    return faulty
