"""Which stream of a file is the video, where there are several."""

from __future__ import annotations

from enum import Flag
from types import SimpleNamespace
from typing import Any

import av
import pytest
from av.stream import Disposition
from helpers.numbered_videos import read_number
from helpers.sound_and_picture import pictures

from feature_extraction.video.content.streams import disposition
from feature_extraction.video.opening import open_video, probe
from feature_extraction.video.reader import VideoError

STILLS = ["attached_pic", "timed_thumbnails", "still_image"]


def write(path, *streams, containers=None):
    """A file with a stream for each (codec, frames, size, rate, disposition)."""
    with av.open(str(path), "w", options=containers or {}) as out:
        made: list[Any] = []
        for codec, _, size, rate, flags in streams:
            stream: Any = out.add_stream(codec, rate=rate)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.disposition = flags
            made.append(stream)
        out.start_encoding()
        for stream, (_, frames, size, rate, _) in zip(made, streams, strict=True):
            for frame in pictures(frames, size, rate):
                out.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
            out.mux(stream.encode(None))
    return path


VIDEO = ("libx264", 60, (96, 64), 30, Disposition.default.value)
OTHER = ("libx264", 3, (80, 32), 1, 0)


def frames_of(path):
    with open_video(path) as reader:
        size = reader.info.width, reader.info.height
        return size, [read_number(f) for _, f in reader.frames_at(k / 30 for k in range(60))]


@pytest.mark.parametrize("name", ["v.mkv", "v.mp4"])
@pytest.mark.parametrize("first", [True, False], ids=["preview first", "preview last"])
def test_a_preview_is_not_the_video(name, first, tmp_path):
    streams = (OTHER, VIDEO) if first else (VIDEO, OTHER)
    path = write(tmp_path / name, *streams)
    assert frames_of(path) == ((96, 64), list(range(60)))
    with av.open(str(path)) as file:
        best = file.streams.best("video")
        assert best is not None and (best.width, best.height) == (96, 64)


def test_of_two_the_default_one_is_taken(tmp_path):
    small = ("libx264", 60, (80, 32), 30, 0)
    for streams in ((small, VIDEO), (VIDEO, small)):
        assert frames_of(write(tmp_path / "v.mkv", *streams))[0] == (96, 64)
    chosen = (*small[:4], Disposition.default.value)
    assert frames_of(write(tmp_path / "v.mkv", (*VIDEO[:4], 0), chosen))[0] == (80, 32)


def test_a_cover_before_the_video_is_no_video(tmp_path):
    cover = ("mjpeg", 1, (320, 240), 1, Disposition.attached_pic.value)
    path = write(tmp_path / "v.mp4", cover, VIDEO)
    assert frames_of(path) == ((96, 64), list(range(60)))
    assert probe(path).duration == pytest.approx(2.0)


def test_a_cover_alone_is_no_video(tmp_path):
    path = write(tmp_path / "v.mp4", ("mjpeg", 1, (320, 240), 1, Disposition.attached_pic.value))
    with pytest.raises(
        VideoError, match=r"has no video stream .*a cover image or a preview does not count"
    ) as caught:
        open_video(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("still", STILLS)
def test_whatever_this_pyav_gives_a_disposition_as(still):
    class Known(Flag):
        attached_pic = 1024
        timed_thumbnails = 2048
        still_image = 1048576

    number = Known[still].value
    for given in (Known[still], number, str(number), Disposition[still]):
        assert disposition(SimpleNamespace(disposition=given)) == number
    assert disposition(SimpleNamespace(disposition=None)) == 0


def test_a_bit_without_a_name_is_no_error():
    class Stream:
        @property
        def disposition(self) -> Disposition:
            raise ValueError("no such disposition")

    assert disposition(Stream()) == 0
