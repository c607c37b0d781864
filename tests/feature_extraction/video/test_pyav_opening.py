"""What is not a video is refused by name; what the head of a file says of its length."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import count
from typing import ClassVar

import av
import numpy as np
import pytest
from av.stream import Disposition
from helpers.numbered_videos import (
    encode,
    even_ticks,
    read_to_end,
)

from feature_extraction.video import pyav_opening
from feature_extraction.video.content.clock import clock_seconds
from feature_extraction.video.opening import open_video, probe
from feature_extraction.video.pyav_opening import orientation
from feature_extraction.video.reader import VideoError


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"these are words, not pictures\n" * 40, "not a readable video"),
        ("text.txt", b"these are words, not pictures\n" * 40, "not a"),
        ("noise.mp4", bytes(range(256)) * 40, "not a readable video"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n", "not a readable video"),
    ],
)
def test_no_video(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(VideoError, match=message) as caught:
        open_video(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def add_sound(out, stream, pieces):
    """Write `pieces` of 1024 silent samples and the end of the stream."""
    for number in range(pieces):
        silence = np.zeros((2, 1024), np.float32)
        piece = av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo")
        piece.sample_rate, piece.pts = 44100, number * 1024
        out.mux(stream.encode(piece))
    out.mux(stream.encode(None))


@pytest.mark.parametrize("cover", [False, True])
def test_sound_only(cover, tmp_path):
    """A cover picture is a stream of video by its kind, but shows nothing that moves."""
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        sound = out.add_stream("aac", rate=44100, layout="stereo")
        if cover:
            picture = out.add_stream("mjpeg")
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuvj420p"
            picture.disposition = Disposition.attached_pic.value
            frame = av.VideoFrame(32, 32, "yuvj420p")
            frame.pts = 0
            out.mux(picture.encode(frame) + picture.encode(None))
        add_sound(out, sound, 20)
    with av.open(str(path)) as written:
        assert len(written.streams.video) == cover
    with pytest.raises(VideoError, match="no video stream"):
        open_video(path)


def test_metadata_that_are_no_utf8_do_not_matter(tmp_path):
    path = encode(tmp_path / "named.mkv", even_ticks(9))
    content = path.read_bytes()
    assert content.count(b"Lavf")
    path.write_bytes(content.replace(b"Lavf", b"L\xff\xfe\xfd"))
    frames, end = read_to_end(path)
    assert (frames, end) == (9, pytest.approx(0.3))


def test_clock_seconds():
    assert clock_seconds("01:02:03.500000000") == 3723.5
    assert [clock_seconds(text) for text in ("", "3.5", "1:2:x", "1:2:3:4")] == [None] * 4


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), (False, False, False)),
        ((-1, 0, 0, 1), (False, False, True)),
        ((1, 0, 0, -1), (False, True, False)),
        ((0, 1, -1, 0), (True, False, True)),
        ((0, -1, 1, 0), (True, True, False)),
    ],
)
def test_orientation_is_that_of_the_display_matrix(matrix, expected, monkeypatch):
    a, b, c, d = (65536 * value for value in matrix)
    stored = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], dtype=np.int32)
    monkeypatch.setattr(pyav_opening, "Buffer", np.ndarray)

    class Frame:
        side_data: ClassVar = {"DISPLAYMATRIX": stored}

    assert orientation(Frame) == expected
    # a picture 3 x 2 whose pixel (x, y) is 10 y + x, turned as the matrix says
    picture = np.add.outer(10 * np.arange(2), np.arange(3))
    places = {(a * x + c * y, b * x + d * y): picture[y, x] for y in range(2) for x in range(3)}
    across, down = (sorted({place[axis] for place in places}) for axis in (0, 1))
    shown = [[places[x, y] for x in across] for y in down]
    transpose, flip_rows, flip_columns = expected
    turned = picture.T if transpose else picture
    assert np.array_equal(turned[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1], shown)


def test_broken_off_with_the_index_behind(tmp_path):
    path = encode(tmp_path / "whole.mp4", even_ticks(30))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(VideoError, match="not a readable video"):
        open_video(path)


def _with_value(content: bytes, mark: bytes, skip: int, form: str, factor: float) -> bytes:
    """A number of a container's head, `skip` bytes behind the name of its field, multiplied."""
    changed, at = bytearray(content), content.index(mark) + len(mark) + skip
    (value,) = struct.unpack_from(form, changed, at)
    struct.pack_into(form, changed, at, type(value)(value * factor))
    return bytes(changed)


# Where a length stands: the file, the field, bytes from its name to the number, the number's form.
LENGTHS = {
    "constant.mp4": [(b"mvhd", 16, ">I"), (b"mdhd", 16, ">I"), (b"tkhd", 20, ">I")],
    "variable.mkv": [(b"\x44\x89\x88", 0, ">d")],
    "mpeg4.avi": [(b"avih", 20, "<I"), (b"strh", 36, "<I")],
}


@pytest.mark.parametrize("name", sorted(LENGTHS))
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_container_that_lies_about_its_length(name, factor, videos, tmp_path):
    """The frames there are decide; only a length beyond them cannot be distinguished from a truncated file."""
    content = videos[name][0].read_bytes()
    for field in LENGTHS[name]:
        content = _with_value(content, *field, factor)
    path = tmp_path / name
    path.write_bytes(content)
    with open_video(videos[name][0]) as reader:
        true = [frame for _, frame in reader.frames_at(k / 7 for k in count())]
        true_end = reader.end_time
    refused = factor > 1 and name == "mpeg4.avi"
    if refused:
        with pytest.raises(VideoError, match=r"of 9\.00 s exist"):
            read_to_end(path)
    with open_video(path, allow_partial=refused) as reader:
        found = [frame for _, frame in reader.frames_at(k / 7 for k in count())]
        assert reader.end_time == pytest.approx(true_end, abs=1e-6)
    assert len(found) == len(true) and all(map(np.array_equal, found, true))


def test_sound_longer_than_the_pictures_is_no_fault(tmp_path):
    path = tmp_path / "long_sound.flv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        sound = out.add_stream("aac", rate=44100, layout="stereo")
        for number in range(30):
            frame = av.VideoFrame(96, 64, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        add_sound(out, sound, 172)
    with av.open(str(path)) as file:
        assert file.duration > 3e6  # which is the sound's
    assert probe(path).duration == pytest.approx(1.0, abs=0.05)
    assert probe(path, exact=True).duration == pytest.approx(1.0, abs=0.05)
