"""What holds for every reader, whatever the frames are stored in."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from helpers.numbered_videos import draw_number
from PIL import Image

from feature_extraction.video.frame_folder import FrameFolder
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import Reader, VideoError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """90 frames at 30 per second, as "constant.mp4" has them."""
    folder = tmp_path_factory.mktemp("frames")
    for number in range(90):
        picture = Image.fromarray(draw_number(number, 96, 64))
        picture.save(folder / f"frame_{number + 1:010d}.jpg", quality=95)
    return FrameFolder(folder, (30.0,))


@pytest.fixture(params=["pyav", "decord", "frames"])
def opened(request, videos, folder):
    """Open the same video with a reader of each kind."""
    if request.param == "decord":
        pytest.importorskip("decord")

    def start() -> Reader:
        if request.param == "frames":
            return open_video(folder)
        return open_video(videos["constant.mp4"][0], request.param)

    start.decoder = request.param
    return start


def test_what_a_reader_says_of_its_video(opened):
    with opened() as reader:
        info = reader.info
        assert (info.width, info.height, info.decoder) == (96, 64, opened.decoder)
        assert (info.fps, info.duration) == (pytest.approx(30.0), pytest.approx(3.0))
        assert reader.end_time is None and reader.damaged == []
        list(reader.frames_at(k / 7 for k in count()))
        assert reader.end_time == pytest.approx(3.0) and reader.damaged == []


def test_clip_times_must_be_numbers(opened):
    with opened() as reader:
        for times in ([], [float("nan")], [float("inf")], [[0.0]]):
            with pytest.raises(VideoError, match="finite"):
                reader.clip(times)


def test_frames_are_uint8_and_clips_stack_them(opened):
    with opened() as reader:
        shown = [frame for _, frame in reader.frames_at([0.2, 0.5, 0.5])]
        clip = reader.clip([0.5, 0.2])
    assert shown[1] is shown[2]
    assert clip.dtype == np.uint8 and clip.shape == (2, 64, 96, 3)
    assert np.array_equal(clip, np.stack([shown[1], shown[0]]))


def test_a_closed_reader_gives_nothing(opened):
    with opened() as reader:
        reader.clip([0.0])
    reader.close()
    with pytest.raises(VideoError, match="closed"):
        reader.clip([0.0])
    with pytest.raises(VideoError, match="closed"):
        list(reader.frames_at([0.0]))


def test_an_error_closes_the_reader_and_goes_on(opened):
    with pytest.raises(KeyError), opened() as reader:
        raise KeyError
    with pytest.raises(VideoError, match="closed"):
        reader.clip([0.0])
