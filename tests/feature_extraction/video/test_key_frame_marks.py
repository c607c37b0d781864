"""Containers whose marks of key frames are gone or wrong: a clip is what a decode from the start gives."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.numbered_videos import decode_all, draw_number, encode, even_ticks, nearest

from feature_extraction.video.content.key_frames import starts_alone
from feature_extraction.video.opening import open_video
from feature_extraction.video.pyav_file import VideoFile

X264, X265 = "x264-params", "x265-params"
OPEN = "bframes=3:b-adapt=0:b-pyramid=normal:open-gop=1:keyint=24:min-keyint=24:scenecut=0"
# name -> (codec, options, pixel format, size); about three key frames in 90
KINDS = {
    "mpeg4": ("mpeg4", {"g": "30", "bf": "2"}, "yuv420p", (96, 64)),
    "h263": ("h263", {"g": "30"}, "yuv420p", (176, 144)),
    "h263p": ("h263p", {"g": "30"}, "yuv420p", (96, 64)),
    "flv1": ("flv", {"g": "30"}, "yuv420p", (96, 64)),
    "mpeg1": ("mpeg1video", {"g": "15", "bf": "2"}, "yuv420p", (96, 64)),
    "mpeg2": ("mpeg2video", {"g": "15", "bf": "2"}, "yuv420p", (96, 64)),
    "mjpeg": ("mjpeg", {}, "yuvj420p", (96, 64)),
    "h264": ("libx264", {"g": "30", "bf": "3"}, "yuv420p", (96, 64)),
    "h264 open": ("libx264", {X264: OPEN}, "yuv420p", (96, 64)),
    "h264 I pictures that are no key frames": (
        "libx264",
        {X264: "keyint=300:min-keyint=300:scenecut=0:bframes=2:ref=4", "forced": "13"},
        "yuv420p",
        (96, 64),
    ),
    "h264 intra refresh": (
        "libx264",
        {X264: "keyint=30:intra-refresh=1:bframes=0"},
        "yuv420p",
        (96, 64),
    ),
    "hevc": ("libx265", {X265: "log-level=none:keyint=30:bframes=3:pools=1:open-gop=0"}, "yuv420p", (96, 64)),
    "hevc open": ("libx265", {X265: "log-level=none:keyint=24:bframes=3:pools=1:open-gop=1"}, "yuv420p", (96, 64)),
    "vp8": ("libvpx", {"g": "30", "deadline": "realtime", "auto-alt-ref": "0"}, "yuv420p", (96, 64)),
    "vp9": ("libvpx-vp9", {"g": "30", "deadline": "realtime"}, "yuv420p", (96, 64)),
    "av1": ("libsvtav1", {"g": "30", "preset": "12", "svtav1-params": "keyint=30"}, "yuv420p", (96, 64)),
    "wmv2": ("wmv2", {"g": "30"}, "yuv420p", (96, 64)),
    "msmpeg4": ("msmpeg4", {"g": "30"}, "yuv420p", (96, 64)),
    "ffv1": ("ffv1", {"g": "30"}, "yuv420p", (96, 64)),
    "snow": ("snow", {"g": "30"}, "yuv420p", (96, 64)),
    "svq1": ("svq1", {"g": "30"}, "yuv410p", (96, 64)),
    "prores": ("prores_ks", {}, "yuv422p10le", (96, 64)),
    "cinepak": ("cinepak", {"g": "30"}, "rgb24", (96, 64)),
}  # fmt: skip
# in the containers that a seek is tried in: MP4 holds some of these, MOV and Matroska others
MOV = {"h263", "msmpeg4", "svq1", "cinepak", "prores"}
MATROSKA = KINDS.keys() - {"h263", "h263p", "flv1", "wmv2", "svq1", "cinepak"}
IN_MP4 = MATROSKA - {"msmpeg4", "vp8", "snow", "prores", "ffv1"} | MOV
FRAMES = 90


def write(path: Path, kind: str, keys: str = "true", frames: int = FRAMES) -> Path:
    """A video of numbered frames; `keys`: which packets are marked as key frames (true, all, shifted)."""
    codec, options, pixels, size = KINDS[kind]
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    options = dict(options)
    forced = int(options.pop("forced", "0"))
    with av.open(str(path), "w", options={"strict": "-2"}) as out:
        stream = out.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.options = {"threads": "1", "strict": "-2", **options}
        mark = Marks(keys)

        def mux(packets):
            for packet in packets:
                packet.is_keyframe = mark(packet.is_keyframe)
                out.mux(packet)

        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw_number(number, *size), format="rgb24")
            frame = frame.reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 30)
            if forced and number and number % forced == 0:
                frame.pict_type = av.video.frame.PictureType.I
            mux(stream.encode(frame))
        mux(stream.encode(None))
    return path


class Marks:
    """Marks for the packets of a stream, true ones or others."""

    def __init__(self, keys: str) -> None:
        self._keys, self._number = keys, -1

    def __call__(self, true: bool) -> bool:
        self._number += 1
        if self._keys == "all" or not self._number:
            return True
        if self._keys == "shifted":  # each third packet, whatever it is
            return self._number % 3 == 1
        return true


def without_table(path: Path) -> Path:
    """An MP4 without its table of key frames, so that every picture counts as one."""
    content = path.read_bytes()
    assert content.count(b"stss") == 1
    path.write_bytes(content.replace(b"stss", b"free"))
    return path


def false_table(path: Path) -> Path:
    """An MP4 whose table of key frames names others: all but the first are moved by seven."""
    content = bytearray(path.read_bytes())
    place = content.index(b"stss") + 8
    count = int.from_bytes(content[place : place + 4], "big")
    for entry in range(1, count):
        at = place + 4 + 4 * entry
        number = int.from_bytes(content[at : at + 4], "big") + 7
        content[at : at + 4] = min(number, FRAMES).to_bytes(4, "big")
    path.write_bytes(content)
    return path


def check_clips(path: Path, step: int = 1) -> None:
    """Every frame by a clip of its own, and clips of four, against a decode from the start."""
    times, frames = decode_all(path)
    assert len(frames) >= FRAMES - 1
    with open_video(path) as reader:
        for number in range(0, len(frames), step):
            assert np.array_equal(reader.clip([times[number]])[0], frames[number]), number
        for first in np.random.default_rng(1).uniform(0, times[-1], 8):
            wanted = first + np.arange(4) * 0.13
            for picture, time in zip(reader.clip(wanted), wanted, strict=True):
                assert np.array_equal(picture, frames[nearest(times, time)])


@pytest.mark.parametrize("kind", sorted(IN_MP4))
def test_mp4_without_a_table_of_key_frames_or_with_a_false_one(kind, tmp_path):
    path = write(tmp_path / ("v.mov" if kind in MOV else "v.mp4"), kind)
    if b"stss" in path.read_bytes():
        check_clips(false_table(path), 3)
        without_table(path)
    check_clips(path, 3)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"h264 I pictures that are no key frames"}))
def test_pictures_tell_what_the_encoder_says(kind, tmp_path):
    """In every codec: key frames of the encoder are found, and nothing else is taken for one."""
    with av.open(
        str(
            write(tmp_path / "v.nut", kind) if kind != "prores" else write(tmp_path / "v.mov", kind)
        )
    ) as file:
        stream = file.streams.video[0]
        head = stream.codec_context
        packets = [packet for packet in file.demux(stream) if packet.size]
        name, extradata = head.codec.canonical_name, bytes(head.extradata or b"")
    told = [starts_alone(name, bytes(packet), extradata) for packet in packets]
    true = [packet.is_keyframe for packet in packets]
    if kind in {"wmv2", "msmpeg4", "svq1", "ffv1"}:
        assert set(told) == {None}  # the decoder will say
    elif kind in {"snow", "cinepak"}:
        assert set(told) == {False}  # of these nothing is known
    elif kind == "h264 intra refresh":
        assert told == [number == 0 for number in range(len(told))]  # the others take 30 frames
    else:
        assert told == true and 1 < sum(true)


@pytest.mark.parametrize(
    "codec", ["h264", "hevc", "mpeg4", "h263", "flv1", "vp8", "vp9", "av1", "mpeg2video"]
)
def test_bytes_by_chance_raise_nothing(codec):
    chance = np.random.default_rng(0)
    for size in [0, 1, 2, 3, 5, 8, 40] * 30:
        content, extradata = chance.bytes(size), chance.bytes(size % 30)
        assert starts_alone(codec, content, extradata) in (True, False)
        assert starts_alone(codec, b"\0\0\1" + content, b"\1" + extradata) in (True, False)


@pytest.mark.parametrize("keys", ["true", "all", "shifted"])
@pytest.mark.parametrize("kind", sorted(MATROSKA))
def test_matroska_with_true_and_false_marks(kind, keys, tmp_path):
    check_clips(write(tmp_path / "v.mkv", kind, keys), 4)


@pytest.mark.parametrize("kind", ["mpeg4", "h263", "h264"])
def test_phones_with_false_marks(kind, tmp_path):
    for name in ("v.3gp", "v.mov"):
        check_clips(write(tmp_path / name, kind, "all"), 4)


@pytest.mark.parametrize(
    ("kind", "share"), [("h264", 0.5), ("hevc open", 0.6), ("vp9", 0.5), ("mpeg4", 0.5)]
)
def test_with_true_marks_a_clip_still_seeks(kind, share, tmp_path, monkeypatch):
    """Not all of the file is decoded for a clip at its end."""
    given, decode = [], VideoFile.decode

    def counting(self, item, *, needed=True):
        given.append(item)
        return decode(self, item, needed=needed)

    path = write(tmp_path / "v.mkv", kind)
    with open_video(path) as reader:
        monkeypatch.setattr(VideoFile, "decode", counting)
        reader.clip([2.9])
    assert len(given) < share * FRAMES


def test_with_no_second_key_frame_all_is_decoded_once(tmp_path):
    """Looking for a key frame further and further back decodes nothing until one is found."""
    path = encode(tmp_path / "v.mp4", even_ticks(FRAMES), g="300", bf="2")
    check_clips(without_table(path), 5)
